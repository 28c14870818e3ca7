/**
 * The gateway without its metrics, for what they cost: no setting turns them off.
 * `node --import` of this file puts it in the place of two modules.
 *
 *   plugins/metrics.ts                     counts nothing, has no /metrics
 *   src/telemetry/usage/usage-reader.ts    reads no answer for its tokens
 */
import fp from 'fastify-plugin'
import { registerHooks } from 'node:module'

const REPLACED = /\/(plugins\/metrics|usage\/usage-reader)\.ts$/

registerHooks({
  resolve (specifier, context, nextResolve) {
    const resolved = nextResolve(specifier, context)
    return REPLACED.test(resolved.url) ? { url: import.meta.url, shortCircuit: true } : resolved
  }
})

const nothing = () => {}

/** In the place of plugins/metrics.ts. */
export default fp(async function metrics (fastify) {
  fastify.decorate('metrics', { onExchangeEnd: nothing, onAnswer: nothing, onRefused: nothing } as never)
}, { name: 'metrics' })

/** In the place of src/telemetry/usage/usage-reader.ts. */
export const usageReader = () => undefined
