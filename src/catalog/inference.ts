import { Agent, request } from 'undici'
import type { Config } from '../config.ts'
import { readReported, type ReportedModel } from './reported.ts'

const MAX_BYTES = 5 * 1024 * 1024
/** A list is no generation: the whole of it comes within this time, however slowly it drips (milliseconds). */
const DEADLINE_MS = 30_000
// Below the 5 s after which uvicorn closes an idle connection, which would race with a request.
const KEEP_ALIVE_MS = 4000

type InferenceConfig = Pick<Config, 'INFERENCE_SERVICE_URL' | 'INFERENCE_API_KEY' | 'UPSTREAM_CONNECT_TIMEOUT' | 'UPSTREAM_FIRST_BYTE_TIMEOUT' | 'UPSTREAM_IDLE_TIMEOUT'>

/** The inference service's own list of models. */
export class InferenceModels {
  readonly #paths: string[]
  readonly #headers: Record<string, string>
  readonly #agent: Agent
  readonly #deadline: number

  /** `ca`: PEM certificates of the authorities to trust; absent: the built-in ones. */
  constructor (config: InferenceConfig, { ca, deadline = DEADLINE_MS }: { ca?: string[] | undefined, deadline?: number } = {}) {
    const base = config.INFERENCE_SERVICE_URL.replace(/\/+$/, '')
    this.#paths = [`${base}/models`, `${base}/v1/models`]
    this.#headers = {
      accept: 'application/json',
      ...(config.INFERENCE_API_KEY !== undefined && { authorization: `Bearer ${config.INFERENCE_API_KEY}` })
    }
    // A connection of its own, which a busy proxy cannot take away.
    this.#agent = new Agent({
      connections: 1,
      connect: { timeout: config.UPSTREAM_CONNECT_TIMEOUT * 1000, ...(ca !== undefined && { ca }) },
      headersTimeout: config.UPSTREAM_FIRST_BYTE_TIMEOUT * 1000,
      bodyTimeout: config.UPSTREAM_IDLE_TIMEOUT * 1000,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS
    })
    this.#deadline = deadline
  }

  /** @throws Error that says why there is no list, without address or key. */
  async load (signal: AbortSignal): Promise<ReportedModel[]> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(this.#deadline)])
    let status = 0
    for (const url of this.#paths) {
      const answer = await this.#get(url, limited)
      if (typeof answer === 'string') return readReported(parse(answer))
      status = answer
      if (status !== 404) break
    }
    throw new Error(`The inference service answered ${status}.`)
  }

  /** Gives back the connection. */
  async close (): Promise<void> {
    await this.#agent.destroy()
  }

  /** The body of a 200, or another status: redirects are not followed, they might lead anywhere. */
  async #get (url: string, signal: AbortSignal): Promise<string | number> {
    try {
      const { statusCode, headers, body } = await request(url, { dispatcher: this.#agent, headers: this.#headers, signal })
      if (statusCode !== 200) {
        // The rest of such a body is of no interest; its connection goes with it.
        body.on('error', () => {}).destroy()
        return statusCode
      }
      if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') throw new Error('The answer is compressed, which was not asked for.')
      return await readBody(body)
    } catch (error) {
      throw new Error(plainReason(error), { cause: error })
    }
  }
}

async function readBody (body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > MAX_BYTES) throw new Error(`The answer is larger than ${MAX_BYTES / 1024 / 1024} MiB.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parse (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error('The answer is not JSON.')
  }
}

const REASONS: Record<string, string> = {
  TimeoutError: 'The inference service did not send its list in time.',
  HTTPParserError: 'The inference service does not speak HTTP.',
  UND_ERR_CONNECT_TIMEOUT: 'The inference service cannot be reached in time.',
  UND_ERR_HEADERS_TIMEOUT: 'The inference service did not answer in time.',
  UND_ERR_BODY_TIMEOUT: 'The inference service fell silent in mid-answer.',
  UND_ERR_SOCKET: 'The inference service closed the connection.'
}

/** Node's and undici's messages name addresses; those of this file are plain errors. */
function plainReason (error: unknown): string {
  const { name, code, message } = error as { name: string, code?: string, message: string }
  if (name === 'Error' && code === undefined) return message
  return REASONS[code ?? name] ?? REASONS[name] ?? `The inference service cannot be used (${code ?? name}).`
}
