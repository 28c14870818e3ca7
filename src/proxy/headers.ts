import type { RawHeaders } from '../http/answer.ts'

// RFC 9110 section 7.6.1 and the pre-standard ones it warns of; never forwarded.
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings', 'proxy-authenticate', 'proxy-authorization', 'proxy-authentication-info'])

// Made anew for the upstream: its own host, its own framing, the gateway's own trace.
const REQUEST_OWN = new Set(['host', 'content-length', 'expect', 'x-request-id', 'via'])

const FORWARDED = /^(forwarded|x-forwarded-.*|x-real-ip)$/

// Node frames the answer and counts its bytes; CORS is the gateway's own word.
const RESPONSE_OWN = /^(access-control-.*|x-request-id)$/

/** The pseudonym in `Via` (RFC 9110 section 7.6.3). */
const VIA = '1.1 model-gateway'

/** Names remembered by {@link remembered}: more than any honest traffic has. */
const NAMES = 1024

/**
 * What the rules say of a header name, kept by the way it was written: looking
 * it up afresh took 1.5 of the 6 µs that the headers of a request cost.
 */
function remembered<T> (judge: (written: string) => T): (written: string) => T {
  const known = new Map<string, T>()
  return written => {
    const found = known.get(written)
    if (found !== undefined) return found
    const verdict = judge(written)
    if (known.size < NAMES) known.set(written, verdict)
    return verdict
  }
}

type RequestRule = 'pass' | 'drop' | 'via' | 'authorization' | 'x-api-key' | 'content-encoding' | { forwarded: string }

const requestRule = remembered((written): RequestRule => {
  const name = written.toLowerCase()
  if (name === 'via' || name === 'authorization' || name === 'x-api-key' || name === 'content-encoding') return name
  if (FORWARDED.test(name)) return { forwarded: name }
  return HOP_BY_HOP.has(name) || REQUEST_OWN.has(name) || name.startsWith('proxy-') ? 'drop' : 'pass'
})

interface ResponseRule { readonly name: string, readonly drop: boolean }

const responseRule = remembered((written): ResponseRule => {
  const name = written.toLowerCase()
  return { name, drop: HOP_BY_HOP.has(name) || RESPONSE_OWN.test(name) }
})

const NOT_LISTED = new Set(['close', 'keep-alive', 'content-length'])

/**
 * Names that a `Connection` header lists are hop-by-hop as well (RFC 9110 section
 * 7.6.1); not a length, without which an HTTP/1.0 client takes a body that was cut short for a whole one.
 */
function connectionListed (headers: RawHeaders): Set<string> | undefined {
  let listed: Set<string> | undefined
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]!.length !== 10 || headers[i]!.toLowerCase() !== 'connection') continue
    for (const token of headers[i + 1]!.split(',')) {
      const name = token.trim().toLowerCase()
      if (name !== '' && !NOT_LISTED.has(name)) (listed ??= new Set()).add(name)
    }
  }
  return listed
}

/** What the gateway knows of the client's connection, for `Forwarded` and its kin. */
export interface Peer {
  readonly address: string
  readonly protocol: string
  readonly host: string
  /** The peer is a trusted proxy (`TRUST_PROXY`): what it says of its own peers is kept. */
  readonly trusted: boolean
}

/** How credentials travel: see design section 4, "Headers". */
export interface Credentials {
  /** `Authorization` of the gateway's own, where `INFERENCE_API_KEY` is set. */
  readonly authorization: string | undefined
  /** The gateway checks keys itself: the client's are meant for it, not for the upstream. */
  readonly stripClientKeys: boolean
}

/**
 * The client's request headers as the upstream gets them, without framing
 * headers (`content-length`), which depend on the body.
 */
export function upstreamRequestHeaders (headers: RawHeaders, peer: Peer, credentials: Credentials, requestId: string, decoded: boolean): RawHeaders {
  const listed = connectionListed(headers)
  const out: RawHeaders = []
  let forwarded = NOTHING_FORWARDED
  let via = ''
  for (let i = 0; i < headers.length; i += 2) {
    const rule = requestRule(headers[i]!)
    const value = headers[i + 1]!
    if (rule === 'via') via += `${value}, `
    if (rule === 'drop' || rule === 'via' || listed?.has(headers[i]!.toLowerCase())) continue
    if (rule === 'authorization' && (credentials.authorization !== undefined || credentials.stripClientKeys)) continue
    if (rule === 'x-api-key' && credentials.stripClientKeys) continue
    if (rule === 'content-encoding' && decoded) continue
    if (typeof rule === 'object') {
      if (!peer.trusted) continue
      if (forwarded === NOTHING_FORWARDED) forwarded = new Map()
      const earlier = forwarded.get(rule.forwarded)
      forwarded.set(rule.forwarded, earlier === undefined ? value : `${earlier}, ${value}`)
      continue
    }
    out.push(headers[i]!, value)
  }
  if (credentials.authorization !== undefined) out.push('authorization', credentials.authorization)
  appendForwarded(out, forwarded, peer)
  out.push('via', via + VIA, 'x-request-id', requestId)
  return out
}

const NOTHING_FORWARDED = new Map<string, string>()

/** `X-Forwarded-*` and RFC 7239 `Forwarded`; a trusted peer's chain is appended to, its host and protocol are kept. */
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

/** RFC 7239 section 4: a value that is no token is a quoted-string. */
const quoted = remembered(value => /^[\w!#$%&'*+.^`|~-]+$/.test(value) ? value : `"${value.replace(/["\\]/g, '\\$&')}"`)

/**
 * The upstream's answer headers as the client gets them: hop-by-hop ones (also
 * those that `Connection` lists) removed, the gateway's own in place of the
 * upstream's of the same name, `vary` joined.
 * @param standing names that all answers carry, for which the upstream's are left out too
 */
export function clientResponseHeaders (status: number, received: RawHeaders, own: Record<string, unknown>, standing: ReadonlySet<string>): RawHeaders {
  const listed = connectionListed(received)
  const headers: RawHeaders = []
  let vary: string | undefined
  for (let i = 0; i < received.length; i += 2) {
    const { name, drop } = responseRule(received[i]!)
    const value = received[i + 1]!
    if (drop || listed?.has(name) || standing.has(name)) continue
    // RFC 9110 section 8.6: a 204 has none, and a client that believed it would wait.
    if (status === 204 && name === 'content-length') continue
    if (name === 'vary') vary = vary === undefined ? value : `${vary}, ${value}`
    else if (own[name] === undefined) headers.push(received[i]!, value)
  }
  for (const name in own) {
    const value = own[name]
    if (name === 'vary' && vary !== undefined) vary = `${vary}, ${String(value)}`
    else if (Array.isArray(value)) for (const item of value) headers.push(name, String(item))
    else if (value !== undefined) headers.push(name, String(value))
  }
  if (vary !== undefined) headers.push('vary', vary)
  return headers
}

/** Whether the answer is `text/event-stream`, not compressed: an event can be added to it. */
export function isEventStream (received: RawHeaders): boolean {
  let eventStream = false
  let encoded = false
  for (let i = 0; i < received.length; i += 2) {
    const { name } = responseRule(received[i]!)
    if (name === 'content-type') eventStream = /^text\/event-stream\s*(;|$)/i.test(received[i + 1]!)
    else if (name === 'content-encoding') encoded = received[i + 1]!.toLowerCase() !== 'identity'
  }
  return eventStream && !encoded
}

// RFC 9110 section 6.5.1: framing, routing and processing of the answer are decided before its trailers come.
const NO_TRAILER = /^(content-(length|type|encoding|range)|host|set-cookie|cache-control|authorization|location|date|vary)$/

/** The upstream's trailers as the client gets them. */
export function clientTrailers (received: RawHeaders): [string, string][] {
  const out: [string, string][] = []
  for (let i = 0; i < received.length; i += 2) {
    const name = received[i]!.toLowerCase()
    if (HOP_BY_HOP.has(name) || RESPONSE_OWN.test(name) || NO_TRAILER.test(name)) continue
    out.push([received[i]!, received[i + 1]!])
  }
  return out
}
