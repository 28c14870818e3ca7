import type { IncomingMessage } from 'node:http'
import { GatewayError } from '../errors.ts'

// RFC 9110 section 7.2, without the comma: a list of hosts is what two merged lines look like.
const HOST = /^(\[[\da-f:.]+\]|[\w.~!$&'()*+;=%-]*)(:\d*)?$/i

/**
 * Whether a request's framing and addressing can be read in one way only, as
 * far as Node's parser leaves that open. What fails here must end its
 * connection: where it ends is not sure (RFC 9112 sections 3.2, 6.1 and 11.2).
 */
export function ambiguity (request: IncomingMessage): GatewayError | undefined {
  const { headers, rawHeaders, httpVersion } = request
  // Node takes a request line without a version for HTTP/0.9, and answers it with headers.
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return malformed('The HTTP version must be 1.0 or 1.1.')
  const coding = headers['transfer-encoding']
  if (coding !== undefined && (httpVersion !== '1.1' || coding.toLowerCase() !== 'chunked')) {
    return malformed('Transfer-Encoding can only be `chunked`, and only in HTTP/1.1.')
  }
  let hosts = 0
  let types = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++
    else if (name.length === 12 && name.toLowerCase() === 'content-type') types++
  }
  if (hosts > 1 || (hosts === 0 && httpVersion === '1.1')) return malformed('There must be one Host header.')
  // Two readers may take two boundaries from them, and find two models.
  if (types > 1) return malformed('There must be one Content-Type header.')
  if (hosts === 1 && !HOST.test(headers.host!)) return malformed('The Host header is malformed.')
  return undefined
}

function malformed (message: string): GatewayError {
  return new GatewayError('bad_request', { message, headers: { connection: 'close' } })
}

// What normalisers and decoders disagree on: two slashes, dot segments, a
// backslash, a control byte, and an escape that is left after decoding (a model's
// id may well hold a percent sign).
// eslint-disable-next-line no-control-regex
const AMBIGUOUS = /\/\/|\/\.\.?(\/|$)|[\x00-\x1f\x7f\\]|%[\da-f]{2}/i

/** Whether a request target is a path that all software reads alike: not absolute, no dot segments, nothing encoded twice. */
export function isPlainTarget (target: string): boolean {
  const path = target.split('?', 1)[0]!
  if (path[0] !== '/' || path.includes('#')) return false
  try {
    return !AMBIGUOUS.test(path.includes('%') ? decodeURIComponent(path) : path)
  } catch {
    return false
  }
}
