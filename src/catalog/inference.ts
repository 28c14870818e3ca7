import { pipeline, type Duplex } from 'node:stream'
import { EnvHttpProxyAgent, request, type Dispatcher } from 'undici'
import { bodyDecoder } from '../body/decode.ts'
import type { Config } from '../config.ts'
import { readList } from './list-reader.ts'
import { NoList, type ReportedList } from './reported.ts'

/** The most bytes of a list, as sent and as decoded. */
export const MAX_BYTES = 16 * 1024 * 1024
/** A list is no generation: the whole of it comes within this time, however slowly it drips (milliseconds). */
const DEADLINE_MS = 30_000
// Below the 5 s after which uvicorn closes an idle connection, which would race with a request.
const KEEP_ALIVE_MS = 4000
/** Where a list can be, below the service's URL. */
const PLACES = ['/models', '/v1/models'] as const

type InferenceConfig = Pick<Config, 'INFERENCE_SERVICE_URL' | 'INFERENCE_API_KEY' | 'UPSTREAM_CONNECT_TIMEOUT' | 'UPSTREAM_FIRST_BYTE_TIMEOUT' | 'UPSTREAM_IDLE_TIMEOUT'>

/** What {@link InferenceModels} can be given beside its settings. */
export interface InferenceOptions {
  /** PEM certificates of the authorities to trust; absent: the built-in ones. */
  ca?: string[] | undefined
  /** Milliseconds in which the list must come whole from an address. */
  deadline?: number
  /** What makes the connections; whoever gives it closes it. Absent: an agent that honours HTTP_PROXY, HTTPS_PROXY and NO_PROXY. */
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
  #places: readonly string[] = PLACES

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
   * Asks at the address that last had a list, then at the other one.
   * @throws Error that says what each address answered, without address or key.
   */
  async load (signal: AbortSignal): Promise<ReportedList> {
    const reasons: string[] = []
    for (const place of this.#places) {
      try {
        const list = await this.#loadFrom(place, signal)
        this.#places = [place, ...PLACES.filter(other => other !== place)]
        return list
      } catch (error) {
        if (signal.aborted) throw error
        // Nobody is there: the other address is at the same place.
        if (!(error instanceof NoList)) throw new Error(`The inference service ${plainReason(error)}.`, { cause: error })
        reasons.push(`${place} ${error.message}`)
      }
    }
    throw new Error(`The inference service has no list of models: ${reasons.join('; ')}.`)
  }

  /** Gives back the connections. */
  async close (): Promise<void> {
    await this.#ownDispatcher?.destroy()
  }

  async #loadFrom (place: string, signal: AbortSignal): Promise<ReportedList> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(this.#deadline)])
    try {
      return await readList(await this.#get(this.#base + place, limited), limited)
    } catch (error) {
      throw error instanceof NoList || isUnreachable(error) ? error : new NoList(plainReason(error), { cause: error })
    }
  }

  /** The decoded body of a 200. Redirects are not followed: they might lead anywhere. */
  async #get (url: string, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const { statusCode, headers, body } = await request(url, { dispatcher: this.#dispatcher, headers: this.#headers, signal, ...this.#limits })
    const decoder = statusCode === 200 ? decoderOf(headers['content-encoding']) : new NoList(statusCode >= 300 && statusCode < 400 ? `answers with a redirect (${statusCode})` : `answers ${statusCode}`)
    if (decoder instanceof NoList) {
      // The rest of such a body is of no interest; its connection goes with it.
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
    // What goes wrong also ends the decoder, and is thrown where that is read.
    return await collected(pipeline(counted, decoder, () => {}))
  }
}

/** Connections of its own, which a busy proxy cannot take away. */
function ownDispatcher (config: InferenceConfig, ca: string[] | undefined): Dispatcher {
  const tls = ca === undefined ? {} : { ca }
  const timeout = config.UPSTREAM_CONNECT_TIMEOUT * 1000
  return new EnvHttpProxyAgent({
    connections: 1,
    connect: { timeout, ...tls },
    // A ProxyAgent reads these in place of `connect`: for the service behind a tunnel, and for the proxy itself.
    connectTimeout: timeout,
    requestTls: { timeout, ...tls },
    proxyTls: { timeout, ...tls },
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS
  } as EnvHttpProxyAgent.Options)
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
  // Not from Node's pool of small buffers: a worker thread takes over the memory.
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

/** Whether there was no connection, or none that can be trusted. */
function isUnreachable (error: unknown): boolean {
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

// What Node's decoders of gzip, br and zstd call their errors.
const ZLIB_CODE = /^(Z_|ERR__ERROR_|ZSTD_)/

/** Node's and undici's messages name addresses. */
function plainReason (error: unknown): string {
  const { name, code } = error as { name: string, code?: string }
  if (ZLIB_CODE.test(code ?? '')) return 'answers with a compressed body that cannot be decoded'
  return REASONS[code ?? name] ?? REASONS[name] ?? `cannot be used (${code ?? name})`
}
