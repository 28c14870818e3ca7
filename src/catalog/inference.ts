import { pipeline, type Duplex } from 'node:stream'
import { request, type Dispatcher } from 'undici'
import { bodyDecoder } from '../body/decode.ts'
import type { Config } from '../config.ts'
import { forwardProxyAgent, proxyRefusal, ProxyRefusedError } from '../proxy/forward-proxy.ts'
import { readList } from './list-reader.ts'
import { NoList, type ReportedList } from './reported.ts'

/** Largest list in bytes, as sent and as decoded. */
export const MAX_BYTES = 16 * 1024 * 1024
/** Longest time for the whole list to arrive (milliseconds). */
const DEADLINE_MS = 30_000
// Below the 5 s after which uvicorn closes an idle connection, which would race with a request.
const KEEP_ALIVE_MS = 4000
/** Paths of a list below the service's URL. */
const PATHS = ['/models', '/v1/models'] as const

type InferenceConfig = Pick<Config, 'INFERENCE_SERVICE_URL' | 'INFERENCE_API_KEY' | 'UPSTREAM_CONNECT_TIMEOUT' | 'UPSTREAM_FIRST_BYTE_TIMEOUT' | 'UPSTREAM_IDLE_TIMEOUT'>

/** Options of {@link InferenceModels}. */
export interface InferenceOptions {
  /** PEM certificates of the authorities to trust; absent: the built-in ones. */
  ca?: string[] | undefined
  /** Longest time for the whole list to arrive from one address, milliseconds. */
  deadline?: number
  /** Dispatcher for the requests; the caller closes it. Absent: an agent that uses HTTP_PROXY, HTTPS_PROXY and NO_PROXY. */
  dispatcher?: Dispatcher | undefined
}

/** The inference service's own list of models. */
export class InferenceModels {
  readonly #base: string
  readonly #headers: Record<string, string>
  readonly #limits: { headersTimeout: number, bodyTimeout: number }
  readonly #dispatcher: Dispatcher
  readonly #ownDispatcher: Dispatcher | undefined
  readonly #deadline: number
  #paths: readonly string[] = PATHS

  constructor (config: InferenceConfig, { ca, deadline = DEADLINE_MS, dispatcher }: InferenceOptions = {}) {
    this.#base = config.INFERENCE_SERVICE_URL.replace(/\/+$/, '')
    this.#headers = {
      accept: 'application/json',
      'accept-encoding': 'gzip, br, zstd',
      ...(config.INFERENCE_API_KEY !== undefined && { authorization: `Bearer ${config.INFERENCE_API_KEY}` })
    }
    this.#limits = { headersTimeout: config.UPSTREAM_FIRST_BYTE_TIMEOUT * 1000, bodyTimeout: config.UPSTREAM_IDLE_TIMEOUT * 1000 }
    this.#ownDispatcher = dispatcher === undefined ? ownDispatcher(config, ca) : undefined
    this.#dispatcher = dispatcher ?? this.#ownDispatcher as Dispatcher
    this.#deadline = deadline
  }

  /**
   * Asks the address that last had a list, then the other one. @throws Error with
   * the answer of each path, without host or key
   */
  async load (signal: AbortSignal): Promise<ReportedList> {
    const reasons: string[] = []
    for (const path of this.#paths) {
      try {
        const list = await this.#loadFrom(path, signal)
        this.#paths = [path, ...PATHS.filter(other => other !== path)]
        return list
      } catch (error) {
        if (signal.aborted) throw error
        // No connection: the other path has the same host.
        if (!(error instanceof NoList)) throw new Error(`The inference service ${plainReason(error)}.`, { cause: error })
        reasons.push(`${path} ${error.message}`)
      }
    }
    throw new Error(`The inference service has no list of models: ${reasons.join('; ')}.`)
  }

  /** Closes the connections. */
  async close (): Promise<void> {
    await this.#ownDispatcher?.destroy()
  }

  async #loadFrom (path: string, signal: AbortSignal): Promise<ReportedList> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(this.#deadline)])
    try {
      return await readList(await this.#get(this.#base + path, limited), limited)
    } catch (error) {
      throw error instanceof NoList || isUnreachable(error) ? error : new NoList(plainReason(error), { cause: error })
    }
  }

  /** The decoded body of a 200. Redirects are not followed, because the key must not go to another host. */
  async #get (url: string, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const { statusCode, headers, body } = await request(url, { dispatcher: this.#dispatcher, headers: this.#headers, signal, ...this.#limits })
    const decoder = refusalOf(statusCode, headers['content-length']) ?? decoderOf(headers['content-encoding'])
    if (decoder instanceof NoList) {
      // The rest of such a body is not read; its connection is closed.
      body.on('error', () => {}).destroy()
      throw decoder
    }
    if (decoder === undefined) return await collected(body)
    let sent = 0
    const counted = async function * () {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        sent += chunk.length
        if (sent > MAX_BYTES) throw tooLarge()
        yield chunk
      }
    }
    // An error also ends the decoder, whose reader throws it.
    return await collected(pipeline(counted, decoder, () => {}))
  }
}

/** Separate connections, so that a busy proxy does not delay the list. */
function ownDispatcher (config: InferenceConfig, ca: string[] | undefined): Dispatcher {
  return forwardProxyAgent({ connections: 1, ca, connectTimeout: config.UPSTREAM_CONNECT_TIMEOUT * 1000, keepAliveTimeout: KEEP_ALIVE_MS, keepAliveMaxTimeout: KEEP_ALIVE_MS })
}

/** The reason why an answer with this head has no list; undefined if it may have one. */
function refusalOf (status: number, length: string | string[] | undefined): NoList | undefined {
  if (status >= 300 && status < 400) return new NoList(`answers with a redirect (${status})`)
  if (status !== 200) return new NoList(`answers ${status}`)
  return Number(length) > MAX_BYTES ? tooLarge() : undefined
}

function decoderOf (coding: string | string[] | undefined): Duplex | undefined | NoList {
  try {
    return bodyDecoder(coding?.toString())
  } catch {
    return new NoList('answers in a content coding that is not supported')
  }
}

async function collected (body: AsyncIterable<Buffer>): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > MAX_BYTES) throw tooLarge()
    chunks.push(chunk)
  }
  // A separate allocation, because the memory is transferred to a worker thread.
  const bytes = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}

function tooLarge (): NoList {
  return new NoList(`answers with more than ${MAX_BYTES / 1024 / 1024} MiB`)
}

const UNREACHABLE = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'])

/** Whether the connection failed, a forward proxy refused it, or its certificate was not accepted. */
function isUnreachable (error: unknown): boolean {
  if (proxyRefusal(error as Error) instanceof ProxyRefusedError) return true
  const { code } = error as { code?: string }
  return code !== undefined && (UNREACHABLE.has(code) || /CERT|TLS|SSL|SELF_SIGNED|VERIFY/.test(code))
}

const REASONS: Record<string, string> = {
  TimeoutError: 'does not send its list in time',
  HTTPParserError: 'does not speak HTTP',
  UND_ERR_CONNECT_TIMEOUT: 'cannot be reached in time',
  UND_ERR_HEADERS_TIMEOUT: 'does not answer in time',
  UND_ERR_BODY_TIMEOUT: 'falls silent in mid-answer',
  UND_ERR_SOCKET: 'closes the connection'
}

// Error codes of Node's decoders for gzip, br and zstd.
const ZLIB_CODE = /^(Z_|ERR__ERROR_|ZSTD_)/

/** Errors get the gateway's own text, because messages of Node and undici contain addresses. */
function plainReason (error: unknown): string {
  const refusal = proxyRefusal(error as Error)
  if (refusal instanceof ProxyRefusedError) return `cannot be reached: ${refusal.message}`
  const { name, code } = error as { name: string, code?: string }
  if (ZLIB_CODE.test(code ?? '')) return 'answers with a compressed body that cannot be decoded'
  return REASONS[code ?? name] ?? REASONS[name] ?? `cannot be used (${code ?? name})`
}
