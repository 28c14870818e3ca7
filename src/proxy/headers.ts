import { actionsOf, REQUEST_RULES, RESPONSE_RULES, TRAILER_RULES } from './header-rules.ts'

/** Raw headers as Node has them: name, value, name, value, … One character is one byte. */
export type RawHeaders = string[]

/** The pseudonym in `Via` (RFC 9110 section 7.6.3). */
const VIA = '1.1 model-gateway'

const requestAction = actionsOf(REQUEST_RULES)
const responseAction = actionsOf(RESPONSE_RULES)
const trailerAction = actionsOf(TRAILER_RULES)

/** A length that `Connection` lists stays: without it an HTTP/1.0 client takes a short body for a whole one. */
const NEVER_LISTED = new Set(['close', 'keep-alive', 'content-length'])

/** The names that a `Connection` header lists, which are hop-by-hop too (RFC 9110 section 7.6.1). */
function connectionListed (headers: RawHeaders): ReadonlySet<string> {
  let listed = NOTHING_LISTED
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]!.length !== 10 || headers[i]!.toLowerCase() !== 'connection') continue
    const names = headers[i + 1]!.split(',').map(token => token.trim().toLowerCase()).filter(name => name !== '' && !NEVER_LISTED.has(name))
    if (names.length > 0) listed = new Set([...listed, ...names])
  }
  return listed
}

const NOTHING_LISTED: ReadonlySet<string> = new Set()

/** What the gateway knows of the client's connection. */
export interface Peer {
  readonly address: string
  readonly protocol: string
  readonly host: string
  /** The peer is a trusted proxy (`TRUST_PROXY`): what it says of its own clients is kept. */
  readonly trusted: boolean
}

/** How credentials go upstream. */
export interface Credentials {
  /** `INFERENCE_API_KEY`: replaces every credential of the client. */
  readonly key: string | undefined
  /** The gateway checks keys itself: the client's are meant for it and do not go upstream. */
  readonly stripClientKeys: boolean
}

/** What a request's headers upstream depend on, besides the client's headers. */
export interface UpstreamHeaderOptions {
  readonly peer: Peer
  readonly credentials: Credentials
  readonly requestId: string
  /** The body goes upstream decoded. */
  readonly decoded: boolean
  /** The key goes upstream as `x-api-key` too, which Anthropic's API reads. */
  readonly apiKeyHeader: boolean
}

/** The client's request headers as the upstream gets them, without `content-length`. */
export function upstreamRequestHeaders (headers: RawHeaders, options: UpstreamHeaderOptions): RawHeaders {
  const { peer, credentials, requestId, decoded, apiKeyHeader } = options
  const listed = connectionListed(headers)
  const dropsCredentials = credentials.key !== undefined || credentials.stripClientKeys
  const out: RawHeaders = []
  const forwarded = new Map<string, string>()
  let via = ''
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!.toLowerCase()
    const value = headers[i + 1]!
    const action = requestAction(name)
    if (action === 'via') via += `${value}, `
    else if (action === 'trusted') {
      if (peer.trusted && !listed.has(name)) forwarded.set(name, forwarded.has(name) ? `${forwarded.get(name)}, ${value}` : value)
    } else if (action !== 'drop' && !listed.has(name) && !(action === 'credential' && dropsCredentials) && !(action === 'encoding' && decoded)) {
      out.push(headers[i]!, value)
    }
  }
  if (credentials.key !== undefined) out.push('authorization', `Bearer ${credentials.key}`)
  if (credentials.key !== undefined && apiKeyHeader) out.push('x-api-key', credentials.key)
  appendForwarded(out, forwarded, peer)
  out.push('via', via + VIA, 'x-request-id', requestId)
  return out
}

/** `X-Forwarded-*` and RFC 7239 `Forwarded`. What a trusted peer said is appended to; its host and protocol are kept. */
function appendForwarded (out: RawHeaders, received: Map<string, string>, { address, protocol, host }: Peer): void {
  const node = address.includes(':') ? `"[${address}]"` : address
  const element = `for=${node};host=${quoted(host)};proto=${protocol}`
  const append = (name: string, own: string) => { out.push(name, received.has(name) ? `${received.get(name)}, ${own}` : own) }
  append('forwarded', element)
  append('x-forwarded-for', address)
  out.push('x-forwarded-host', received.get('x-forwarded-host') ?? host)
  out.push('x-forwarded-proto', received.get('x-forwarded-proto') ?? protocol)
  for (const [name, value] of received) {
    if (!OWN_FORWARDED.has(name)) out.push(name, value)
  }
}

const OWN_FORWARDED = new Set(['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto'])

/** RFC 7239 section 4: a value that is not a token is a quoted-string. */
function quoted (value: string): string {
  return /^[\w!#$%&'*+.^`|~-]+$/.test(value) ? value : `"${value.replace(/["\\]/g, '\\$&')}"`
}

/** What the headers of an answer depend on, besides the upstream's. */
export interface ClientHeaderOptions {
  readonly status: number
  /** The gateway's own headers for this answer (CORS, request id, …). They replace the upstream's. */
  readonly own: Readonly<Record<string, unknown>>
  /** An address that the upstream names → the address that the client sees. */
  readonly rewriteLocation: (location: string) => string
}

/** The upstream's answer headers as the client gets them. */
export function clientResponseHeaders (received: RawHeaders, { status, own, rewriteLocation }: ClientHeaderOptions): RawHeaders {
  const listed = connectionListed(received)
  const headers: RawHeaders = []
  const joined = new Map<string, string>()
  for (let i = 0; i < received.length; i += 2) {
    const name = received[i]!.toLowerCase()
    const value = received[i + 1]!
    const action = responseAction(name)
    if (action === 'drop' || listed.has(name)) continue
    // RFC 9110 section 8.6: a 204 has no length. A client that believed one would wait.
    if (status === 204 && name === 'content-length') continue
    if (action === 'join') joined.set(name, joined.has(name) ? `${joined.get(name)}, ${value}` : value)
    else if (!Object.hasOwn(own, name)) headers.push(received[i]!, action === 'location' ? rewriteLocation(value) : value)
  }
  for (const name in own) {
    const value = own[name]
    if (value === undefined) continue
    const values = Array.isArray(value) ? value.map(String) : [String(value)]
    if (joined.has(name)) joined.set(name, [joined.get(name), ...values].join(', '))
    else for (const value of values) headers.push(name, value)
  }
  for (const [name, value] of joined) headers.push(name, value)
  return headers
}

/** The upstream's trailers as the client gets them. */
export function clientTrailers (received: RawHeaders): [string, string][] {
  const trailers: [string, string][] = []
  for (let i = 0; i < received.length; i += 2) {
    if (trailerAction(received[i]!.toLowerCase()) === 'pass') trailers.push([received[i]!, received[i + 1]!])
  }
  return trailers
}

/** The value of the first header of that name (in lower case). */
export function headerValue (headers: RawHeaders, name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]!.length === name.length && headers[i]!.toLowerCase() === name) return headers[i + 1]
  }
  return undefined
}

/** The values of all headers of that name (in lower case), as one list (RFC 9110 section 5.3). */
export function headerList (headers: RawHeaders, name: string): string | undefined {
  let list: string | undefined
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]!.length !== name.length || headers[i]!.toLowerCase() !== name) continue
    list = list === undefined ? headers[i + 1]! : `${list}, ${headers[i + 1]}`
  }
  return list
}

/** Whether the answer to a request has a body, whatever its headers say (RFC 9112 section 6.3). */
export function hasBody ({ method }: { method?: string | undefined }, status: number): boolean {
  return method !== 'HEAD' && status !== 204 && status !== 304
}

/** Whether the answer is `text/event-stream` without a compression: an event can be added to it. */
export function isEventStream (headers: RawHeaders): boolean {
  const type = headerValue(headers, 'content-type')
  if (type === undefined || !/^text\/event-stream\s*(;|$)/i.test(type)) return false
  return (headerValue(headers, 'content-encoding') ?? 'identity').toLowerCase() === 'identity'
}
