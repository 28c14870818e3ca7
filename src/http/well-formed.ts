import type { IncomingMessage } from 'node:http'
import { GatewayError } from '../errors.ts'

// RFC 9110 section 7.2, without the comma: two merged Host lines look like a list.
const HOST = /^(\[[\da-f:.]+\]|[\w.~!$&'()*+;=%-]*)(:\d*)?$/i

/**
 * Whether a request's framing and addressing can be read in one way only, as far
 * as Node's parser leaves that open. A request that fails here must end its
 * connection, because its own end is not sure (RFC 9112 sections 3.2, 6.1 and 11.2).
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

/**
 * What normalisers and decoders read in different ways: dot segments, a
 * backslash, a control byte, and an escape that is left after decoding.
 */
// eslint-disable-next-line no-control-regex
const AMBIGUOUS = /\/\.\.?(\/|$)|[\x00-\x1f\x7f\\]|%[\da-f]{2}/i

/** Below these a path ends in a model's id, which may hold any escape: `%2Froot%2Fx`, `..%2Fx`, `C%3A%5Cx`. */
const MODEL_PATH = /^\/+((openai\/+)?v1|admin)\/+models\/+(?=[^/])/

/** Raw dot segments and backslashes, which clients and proxies rewrite on the way. */
// eslint-disable-next-line no-control-regex
const REWRITTEN = /(^|\/)\.\.?(\/|$)|[\x00-\x20\x7f\\]/

/** Whether a request target is a path that all software reads alike: no dot segments, nothing encoded twice. */
export function isPlainTarget (target: string): boolean {
  const path = target.split('?', 1)[0]!
  if (path[0] !== '/' || path.includes('#')) return false
  const id = path.slice(MODEL_PATH.exec(path)?.[0].length ?? path.length)
  try {
    if (id !== '') {
      decodeURIComponent(id)
      return !REWRITTEN.test(id)
    }
    return !AMBIGUOUS.test(path.includes('%') ? decodeURIComponent(path) : path)
  } catch {
    return false
  }
}

/**
 * A target in absolute form, which clients send to a forward proxy and servers
 * must accept (RFC 9112 section 3.2.2), as path and host. Undefined: the target
 * has another form.
 */
export function absoluteForm (target: string): { path: string, host: string } | undefined {
  const match = /^https?:\/\/([^/?#]+)(\/[^#]*)?$/i.exec(target)
  if (match === null) return undefined
  const [, host = '', path = '/'] = match
  return { host, path }
}

/** A target whose path has each run of slashes as one: base URLs are often pasted with a slash at the end. */
export function withoutDoubledSlashes (target: string): string {
  const query = target.indexOf('?')
  const path = query === -1 ? target : target.slice(0, query)
  return path.includes('//') ? path.replace(/\/{2,}/g, '/') + target.slice(path.length) : target
}
