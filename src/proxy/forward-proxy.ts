const VARIABLES = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY']

/** Whether the environment names a forward proxy for outgoing connections. Which of them uses it is decided by undici, by NO_PROXY too. */
export function usesForwardProxy (environment: Record<string, string | undefined>): boolean {
  return VARIABLES.some(name => (environment[name] ?? '') !== '')
}
