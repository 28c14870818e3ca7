/**
 * The gateway with a switch for its metrics, for what they cost: no setting turns
 * them off. `node --import` of this file adds it; each SIGUSR2 switches.
 *
 * Off: nothing is counted, and no answer is read for its tokens. Both are measured in
 * one process, because two processes of one program differ by more than the cost.
 */
import { registerHooks } from 'node:module'
import { GatewayMetrics } from '../../src/telemetry/metrics.ts'
import { usageReader as countedUsageReader, type UsageReader } from '../../src/telemetry/usage/usage-reader.ts'

let on = true
process.on('SIGUSR2', () => { on = !on })

for (const name of ['onExchangeEnd', 'onAnswer', 'onRefused'] as const) {
  const counted = GatewayMetrics.prototype[name] as (this: GatewayMetrics, ...values: unknown[]) => void
  GatewayMetrics.prototype[name] = function (this: GatewayMetrics, ...values: unknown[]) { if (on) counted.apply(this, values) }
}

registerHooks({
  resolve (specifier, context, nextResolve) {
    const resolved = nextResolve(specifier, context)
    return resolved.url.endsWith('/usage/usage-reader.ts') && context.parentURL !== import.meta.url ? { url: import.meta.url, shortCircuit: true } : resolved
  }
})

/** In the place of src/telemetry/usage/usage-reader.ts. */
export function usageReader (...headers: Parameters<typeof countedUsageReader>): UsageReader | undefined {
  const reader = countedUsageReader(...headers)
  return reader && {
    read: bytes => { if (on) reader.read(bytes) },
    get usage () { return reader.usage },
    get model () { return reader.model }
  }
}
