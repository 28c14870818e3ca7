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
