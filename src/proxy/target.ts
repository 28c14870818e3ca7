import { GatewayError } from '../errors.ts'

/** Where upstream requests go: the origin, and the path that stands for the gateway's `/v1`. */
export interface UpstreamTarget {
  readonly origin: string
  /** Without a trailing slash: `/v1`, `/api/v1`. */
  readonly basePath: string
}

/**
 * The gateway's `/v1` stands for the path of the service URL, and for `/v1` where
 * that URL has no path: `http://localhost:8001` and `http://host/api/v1` both do
 * what their owner expects.
 */
export function upstreamTarget (serviceUrl: string): UpstreamTarget {
  const { origin, pathname } = new URL(serviceUrl)
  const path = pathname.replace(/\/+$/, '')
  return { origin, basePath: path === '' ? '/v1' : path }
}

/**
 * An address in an answer (`Location`) as the client may see it. One on the
 * upstream's own origin becomes a path of the gateway: the inside stays hidden,
 * and the client stays at the gateway. Any other is kept.
 * @param prefix the gateway's prefix that was asked: `/v1`, with the path of `PUBLIC_URL` before it
 */
export function publicLocation (location: string, { origin, basePath }: UpstreamTarget, prefix: string): string {
  const url = URL.parse(location, `${origin}${basePath}/`)
  if (url === null || url.origin !== origin) return location
  const path = `${url.pathname}${url.search}${url.hash}`
  const below = url.pathname === basePath || url.pathname.startsWith(`${basePath}/`)
  return below ? `${prefix}${path.slice(basePath.length)}` : path
}

/** Encoded slashes and backslashes, which the upstream may read as the end of a segment. */
const ENCODED_SEPARATOR = /%2f|%5c/i

/**
 * The path and query upstream. What a pattern says literally comes from the
 * pattern, whatever way it was written. What it leaves open (`:id`, `*`) comes from
 * the request, byte for byte.
 * @param pattern an endpoint's path
 * @param url the request's target, without dot segments (`isPlainTarget`)
 * @throws GatewayError invalid_url for an encoded slash
 */
export function upstreamPath (pattern: string, url: string, prefix: string, { basePath }: UpstreamTarget): string {
  const [path = '', ...query] = url.split('?')
  if (!HAS_OPEN_SEGMENT.test(pattern)) return [`${basePath}/${pattern.replaceAll('::', ':')}`, ...query].join('?')
  const received = path.split('/').filter(segment => segment !== '').slice(prefix.split('/').length - 1)
  const segments = pattern.split('/').flatMap((segment, index) => {
    if (segment === '*') return received.slice(index)
    return isParameter(segment) ? received[index]! : segment.replaceAll('::', ':')
  })
  if (segments.some(segment => ENCODED_SEPARATOR.test(segment))) throw new GatewayError('invalid_url')
  return [`${basePath}/${segments.join('/')}`, ...query].join('?')
}

/** A segment that the request fills in: `:id` or `*`. */
const HAS_OPEN_SEGMENT = /(^|\/)(:(?!:)|\*)/

function isParameter (segment: string): boolean {
  return segment.startsWith(':') && !segment.startsWith('::')
}
