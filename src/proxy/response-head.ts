import type { RawHeaders } from '../http/answer.ts'

/** The upstream's bytes are no sound HTTP/1.1 answer. The message tells what is wrong, never what was sent. */
export class MalformedResponseError extends Error {
  override readonly name = 'MalformedResponseError'
  readonly code = 'MALFORMED_RESPONSE'
}

/** Where a body ends (RFC 9112 section 6.3): `close` is with its connection. */
export type BodyFraming = 'none' | 'length' | 'chunked' | 'close'

/** The head of an answer. Text is one byte a character, as it came. */
export interface ResponseHead {
  readonly status: number
  readonly phrase: string
  readonly headers: RawHeaders
  readonly framing: BodyFraming
  /** Bytes of the body, where it is framed by its length. */
  readonly length: number
  /** The connection may carry another request. */
  readonly persistent: boolean
  /** Seconds for which the upstream says that it keeps the connection; Infinity where it does not say. */
  readonly keepAlive: number
}

// RFC 9112 section 4. Without a phrase its space may be missing, too: servers leave it out.
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: (.*))?$/

// Anything but field-vchar, space and tab (RFC 9110 section 5.5) within a line, and
// a line that begins with white space: obs-fold (RFC 9112 section 5.2).
const UNSOUND = /[^\t\r\n\x20-\x7e\x80-\xff]|\r[^\n]|[^\r]\n|\n[\t ]/

const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/

/** Names found to be tokens: more than any honest traffic has. */
const NAMES = 1024
const tokens = new Set<string>()

function isToken (name: string): boolean {
  if (tokens.has(name)) return true
  if (!TOKEN.test(name)) return false
  if (tokens.size < NAMES) tokens.add(name)
  return true
}

/**
 * Reads the lines of an answer's head: strictly, for a lenient proxy in front of
 * a strict client, or the other way round, is how answers get mixed up.
 * @param text what stands before the empty line, one byte a character
 * @param method of the request that it answers
 * @throws MalformedResponseError
 */
export function parseResponseHead (text: string, method: string): ResponseHead {
  const lineEnd = text.indexOf('\r\n')
  const match = STATUS_LINE.exec(lineEnd === -1 ? text : text.slice(0, lineEnd))
  if (match === null) throw new MalformedResponseError('the status line is malformed')
  const status = Number(match[2])
  const headers = parseFields(text, lineEnd === -1 ? text.length : lineEnd + 2)
  return { status, phrase: match[3] ?? '', headers, ...connectionOf(headers, match[1] === '1'), ...framingOf(headers, method === 'HEAD' || BODILESS.has(status)) }
}

/**
 * Reads field lines, of a head or of trailers.
 * @param from where the first one begins; they go on to the text's end
 * @throws MalformedResponseError
 */
export function parseFields (text: string, from: number): RawHeaders {
  if (UNSOUND.test(text) || text.endsWith('\r')) throw new MalformedResponseError('a header holds what no header may')
  const headers: RawHeaders = []
  for (let at = from; at < text.length;) {
    const next = text.indexOf('\r\n', at)
    const end = next === -1 ? text.length : next
    const colon = text.indexOf(':', at)
    if (colon === -1 || colon > end) throw new MalformedResponseError('a header has no colon')
    const name = text.slice(at, colon)
    if (!isToken(name)) throw new MalformedResponseError('a header has a malformed name')
    headers.push(name, trimmed(text, colon + 1, end))
    at = end + 2
  }
  return headers
}

const isBlank = (code: number) => code === 0x20 || code === 0x09

/** Without the optional white space of RFC 9110 section 5.6.3, which is less than what `trim` takes: a byte 0xa0 stays. */
function trimmed (text: string, start: number, end: number): string {
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

/** The value of each header of that name, in lower case. */
function valuesOf (headers: RawHeaders, name: string): string[] {
  const values: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]!.length === name.length && headers[i]!.toLowerCase() === name) values.push(headers[i + 1]!.toLowerCase())
  }
  return values
}

/** Status codes whose answers have no body, whatever their headers say. */
const BODILESS = new Set([204, 304])

/** RFC 9112 section 6.3, without its leniencies: two lengths, even equal ones, and a length beside a coding are no sound framing. */
function framingOf (headers: RawHeaders, bodiless: boolean): Pick<ResponseHead, 'framing' | 'length'> {
  const lengths = valuesOf(headers, 'content-length')
  const codings = valuesOf(headers, 'transfer-encoding')
  if (lengths.length + codings.length > 1) throw new MalformedResponseError('the framing is ambiguous')
  // The gateway offers no other coding (it sends no TE), and could not undo one: section 6.1.
  if (codings.length === 1 && codings[0] !== 'chunked') throw new MalformedResponseError('the transfer coding is unknown')
  if (lengths.length === 1 && !/^\d{1,15}$/.test(lengths[0]!)) throw new MalformedResponseError('the length is malformed')
  if (bodiless) return { framing: 'none', length: 0 }
  if (codings.length === 1) return { framing: 'chunked', length: 0 }
  return lengths.length === 1 ? { framing: 'length', length: Number(lengths[0]) } : { framing: 'close', length: 0 }
}

/** RFC 9112 section 9.3, and the `Keep-Alive: timeout` that servers send. */
function connectionOf (headers: RawHeaders, current: boolean): Pick<ResponseHead, 'persistent' | 'keepAlive'> {
  const options = valuesOf(headers, 'connection').join().split(',').map(option => option.trim())
  const hint = /(?:^|[,;\s])timeout=(\d+)/.exec(valuesOf(headers, 'keep-alive').join())
  return {
    persistent: !options.includes('close') && (current || options.includes('keep-alive')),
    keepAlive: hint === null ? Infinity : Number(hint[1])
  }
}
