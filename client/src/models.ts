import { errorOf, GatewayError } from './errors.js'
import type { ListedModel, Model, ModelType } from './types.js'

/** Where the gateway is, and how to ask it. */
export interface RequestOptions {
  /**
   * The gateway's address without `/v1`, such as `https://gateway.example` or
   * `/gateway`. Default: the origin of the page. Outside a browser it must be a
   * whole URL.
   */
  baseUrl?: string | undefined
  /** One of the gateway's `API_KEYS`, where it has any. A page should not hold one: see docs/frontend.md. */
  apiKey?: string | undefined
  /** Ends the request. */
  signal?: AbortSignal | undefined
  /** Used in place of the global `fetch`. */
  fetch?: typeof globalThis.fetch | undefined
}

/**
 * The active models in the order of the catalog: those of one type, or all of
 * them (chat, then image, then speech). The browser's cache is used: an
 * unchanged list is a 304 of a few bytes.
 * @throws GatewayError; where `signal` aborts, its reason
 */
export async function listModels<T extends ModelType | undefined = undefined> (type?: T, options: RequestOptions = {}): Promise<ListedModel<T>[]> {
  const { status, body } = await request(type === undefined ? '/v1/models' : `/v1/models?type=${encodeURIComponent(type)}`, options)
  if (!Array.isArray(body)) throw invalid(status, 'a list of models')
  return body
}

/**
 * The full record of a model.
 * @param id as in the list; slashes and other characters are encoded here
 * @throws GatewayError with the code `model_not_found` where there is no such active model; where `signal` aborts, its reason
 */
export async function getModel (id: string, options: RequestOptions = {}): Promise<Model> {
  const { status, body } = await request(`/v1/models/${encodeURIComponent(id)}`, options)
  if (typeof body !== 'object' || body === null || (body as Partial<Model>).id !== id) throw invalid(status, 'the model')
  return body as Model
}

interface Answer {
  status: number
  body: unknown
}

/**
 * `fetch` in its default cache mode does what the gateway's `Cache-Control:
 * no-cache` asks for: a browser sends the tag of its copy and hands back that
 * copy for a 304. An `If-None-Match` set here would turn its cache off
 * (https://fetch.spec.whatwg.org/#concept-http-network-or-cache-fetch).
 */
async function request (path: string, { baseUrl = '', apiKey, signal, fetch = globalThis.fetch }: RequestOptions): Promise<Answer> {
  const headers: Record<string, string> = { accept: 'application/json' }
  if (apiKey !== undefined) headers.authorization = `Bearer ${apiKey}`
  try {
    const response = await fetch(baseUrl.replace(/\/+$/, '') + path, { headers, signal: signal ?? null })
    const body = parse(await response.text())
    if (!response.ok) throw errorOf(response.status, body)
    return { status: response.status, body }
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause
    signal?.throwIfAborted()
    throw new GatewayError('The gateway cannot be reached.', { code: 'network_error', status: 0, param: null, cause })
  }
}

function parse (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function invalid (status: number, expected: string): GatewayError {
  return new GatewayError(`The answer is not ${expected}: check the gateway's address.`, { code: 'invalid_response', status, param: null })
}
