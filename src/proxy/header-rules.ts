/** What happens to a header on its way. */
export type HeaderAction =
  /** It goes on as it is. */
  | 'pass'
  /** It does not go on. */
  | 'drop'
  /** It goes upstream only where the peer is a trusted proxy. */
  | 'trusted'
  /** A credential of the client: see {@link Credentials}. */
  | 'credential'
  /** The gateway appends its own name. */
  | 'via'
  /** The body was decoded: then it does not go on. */
  | 'encoding'
  /** The values of both sides are joined. */
  | 'join'
  /** An address that may be the upstream's own. */
  | 'location'

/** A name, or a prefix that ends in `*`; what happens to it; and why. */
export type HeaderRule = readonly [name: string, action: HeaderAction, reason: string]

const HOP_BY_HOP = 'hop-by-hop (RFC 9110 section 7.6.1)'
const FRAMING = 'made anew for the other connection'
const BROWSER = 'what a browser says to and of this origin; an Ollama answers 403 to an Origin that it does not know'
const ADDRESS = 'tells the client\'s address: believed only of a trusted peer'
const CREDENTIAL = 'a key of the client'
const ORIGIN_STATE = 'would set state or policy for the gateway\'s own origin'
const CORS = 'CORS is decided by the gateway'

const hopByHop: readonly HeaderRule[] = [
  ['connection', 'drop', HOP_BY_HOP],
  ['keep-alive', 'drop', HOP_BY_HOP],
  ['proxy-connection', 'drop', HOP_BY_HOP],
  ['te', 'drop', HOP_BY_HOP],
  ['trailer', 'drop', HOP_BY_HOP],
  ['transfer-encoding', 'drop', HOP_BY_HOP],
  ['upgrade', 'drop', HOP_BY_HOP],
  ['http2-settings', 'drop', HOP_BY_HOP],
  ['proxy-*', 'drop', HOP_BY_HOP]
]

/** Request headers that do not simply go upstream. */
export const REQUEST_RULES: readonly HeaderRule[] = [
  ...hopByHop,
  ['host', 'drop', FRAMING],
  ['content-length', 'drop', FRAMING],
  ['expect', 'drop', 'answered by the gateway, which asks for the body itself'],
  ['content-encoding', 'encoding', 'a body that was decoded goes upstream as it is read'],
  ['via', 'via', 'RFC 9110 section 7.6.3'],
  ['x-request-id', 'drop', 'the gateway\'s own goes upstream'],
  ['cookie', 'drop', BROWSER],
  ['cookie2', 'drop', BROWSER],
  ['origin', 'drop', BROWSER],
  ['referer', 'drop', BROWSER],
  ['sec-*', 'drop', BROWSER],
  ['access-control-request-*', 'drop', CORS],
  ['dnt', 'drop', BROWSER],
  ['upgrade-insecure-requests', 'drop', BROWSER],
  ['forwarded', 'trusted', ADDRESS],
  ['x-forwarded-*', 'trusted', ADDRESS],
  ['x-real-ip', 'trusted', ADDRESS],
  ['x-client-ip', 'trusted', ADDRESS],
  ['x-cluster-client-ip', 'trusted', ADDRESS],
  ['x-original-forwarded-for', 'trusted', ADDRESS],
  ['true-client-ip', 'trusted', ADDRESS],
  ['fastly-client-ip', 'trusted', ADDRESS],
  ['cf-*', 'trusted', ADDRESS],
  ['cdn-loop', 'trusted', ADDRESS],
  ['authorization', 'credential', CREDENTIAL],
  ['x-api-key', 'credential', CREDENTIAL],
  ['api-key', 'credential', CREDENTIAL],
  ['x-goog-api-key', 'credential', CREDENTIAL]
]

/** Answer headers that do not simply go to the client. */
export const RESPONSE_RULES: readonly HeaderRule[] = [
  ...hopByHop,
  ['x-request-id', 'drop', 'the gateway\'s own is sent; the service\'s is logged'],
  ['set-cookie', 'drop', ORIGIN_STATE],
  ['set-cookie2', 'drop', ORIGIN_STATE],
  ['alt-svc', 'drop', ORIGIN_STATE],
  ['clear-site-data', 'drop', ORIGIN_STATE],
  ['nel', 'drop', ORIGIN_STATE],
  ['report-to', 'drop', ORIGIN_STATE],
  ['reporting-endpoints', 'drop', ORIGIN_STATE],
  ['strict-transport-security', 'drop', ORIGIN_STATE],
  ['expect-ct', 'drop', ORIGIN_STATE],
  ['public-key-pins', 'drop', ORIGIN_STATE],
  ['service-worker-allowed', 'drop', ORIGIN_STATE],
  ['access-control-*', 'drop', CORS],
  ['timing-allow-origin', 'drop', CORS],
  ['vary', 'join', 'CORS adds a value of its own'],
  ['location', 'location', 'must not show where the service is'],
  ['content-location', 'location', 'must not show where the service is'],
  ['refresh', 'drop', 'must not show where the service is']
]

/** Trailers that do not go to the client: what decides about an answer comes before it (RFC 9110 section 6.5.1). */
export const TRAILER_RULES: readonly HeaderRule[] = [
  ...RESPONSE_RULES,
  ...['content-length', 'content-type', 'content-encoding', 'content-range', 'host', 'cache-control', 'authorization', 'date', 'vary', 'location', 'content-location']
    .map((name): HeaderRule => [name, 'drop', 'RFC 9110 section 6.5.1'])
]

/**
 * Rules → a function from a name in lower case to its action. A later rule of the
 * same name replaces an earlier one.
 */
export function actionsOf (rules: readonly HeaderRule[]): (name: string) => HeaderAction {
  const exact = new Map(rules.filter(([name]) => !name.endsWith('*')).map(([name, action]) => [name, action]))
  const prefixes = rules.filter(([name]) => name.endsWith('*')).map(([name, action]) => [name.slice(0, -1), action] as const)
  return name => exact.get(name) ?? prefixes.find(([prefix]) => name.startsWith(prefix))?.[1] ?? 'pass'
}
