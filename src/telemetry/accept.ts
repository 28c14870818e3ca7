import type { TextFormat } from './registry.ts'

/**
 * The format that a scraper prefers, by its `Accept` header (RFC 9110 section 12.5.1):
 * OpenMetrics where it is named and weighs no less than plain text, else Prometheus'.
 */
export function preferredFormat (accept: string | undefined): TextFormat {
  let [openmetrics, plain] = [0, 0]
  for (const range of accept?.split(',') ?? []) {
    const [type, ...parameters] = range.toLowerCase().split(';').map(part => part.trim())
    const weight = Number(parameters.find(parameter => parameter.startsWith('q='))?.slice(2) ?? 1)
    if (type === 'application/openmetrics-text') openmetrics = Math.max(openmetrics, weight)
    else if (type === 'text/plain') plain = Math.max(plain, weight)
  }
  return openmetrics > 0 && openmetrics >= plain ? 'openmetrics' : 'prometheus'
}
