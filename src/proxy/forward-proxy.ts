import { createSecureContext } from 'node:tls'
import { EnvHttpProxyAgent, Pool } from 'undici'

const VARIABLES = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY']

type Environment = Record<string, string | undefined>

const setIn = (environment: Environment) => VARIABLES.filter(name => (environment[name] ?? '') !== '')

/** Whether the environment names a forward proxy for outgoing connections. Which of them uses it is decided by undici, by NO_PROXY too. */
export function usesForwardProxy (environment: Environment): boolean {
  return setIn(environment).length > 0
}

/** A line for each variable whose value undici would refuse at the first use. */
export function forwardProxyProblems (environment: Environment): string[] {
  return setIn(environment)
    .filter(name => !/^(https?|socks5):\/\//i.test(environment[name]!) || !URL.canParse(environment[name]!))
    .map(name => `${name} must be a URL such as http://proxy.example:3128`)
}

/** Options of a {@link forwardProxyAgent}: undici's for its connections, and these. */
export interface ForwardProxyOptions extends Omit<EnvHttpProxyAgent.Options, 'connect' | 'connectTimeout' | 'requestTls' | 'proxyTls' | 'clientFactory'> {
  /** PEM certificates of the authorities to trust, for the service and for the proxy; absent: the built-in ones. */
  readonly ca?: string[] | undefined
  /** Milliseconds to connect: to the proxy, through it, or past it. */
  readonly connectTimeout: number
}

/**
 * A dispatcher that goes through the proxies of HTTP_PROXY and HTTPS_PROXY, or past
 * them where NO_PROXY says so. A service with TLS is reached through a tunnel, one
 * without is asked for in absolute form.
 */
export function forwardProxyAgent ({ ca, connectTimeout, ...options }: ForwardProxyOptions): EnvHttpProxyAgent {
  // The context is made once: to read all authorities takes tens of milliseconds.
  const tls = { timeout: connectTimeout, ...(ca !== undefined && { secureContext: createSecureContext({ ca }) }) }
  return new EnvHttpProxyAgent({
    ...options,
    connect: tls,
    // A ProxyAgent reads these options instead of `connect`: for the service behind a tunnel, and for the proxy.
    connectTimeout,
    requestTls: tls,
    proxyTls: tls,
    // Nothing else ends a tunnel that the proxy neither opens nor refuses.
    clientFactory: (proxy, own) => new Pool(proxy, { ...own, headersTimeout: connectTimeout })
  } as EnvHttpProxyAgent.Options)
}

/** A forward proxy did not carry a request: it refused the tunnel, or asks for a password. */
export class ProxyRefusedError extends Error {
  override readonly name = 'ProxyRefusedError'
  readonly code = 'FORWARD_PROXY_REFUSED'

  /** @param status of the proxy's answer */
  constructor (status: string, cause: Error) {
    super(`the forward proxy answered ${status}`, { cause })
  }
}

// undici tells the status in the message only: of the answer to CONNECT, and of a 407 to a request in absolute form.
const REFUSAL = /^Proxy (?:response|Authentication Required) \((\d+)\)/

/** An error of undici, as a {@link ProxyRefusedError} where it is one. */
export function proxyRefusal (error: Error): Error {
  const status = REFUSAL.exec(error.message)?.[1]
  return status === undefined ? error : new ProxyRefusedError(status, error)
}
