import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { startTraces, type Traces } from '../src/telemetry/traces.ts'
import manifest from '../package.json' with { type: 'json' }

declare module 'fastify' {
  interface FastifyInstance {
    /** Null if traces are off. */
    traces: Traces | null
  }
}

/** What `app.ts` supplies. */
export interface TracesOptions {
  /** INFERENCE_SERVICE_URL. */
  upstream: string
}

/** Traces, if OpenTelemetry's standard variables switch them on (docs/operations.md). */
export default fp(async function traces (fastify: FastifyInstance, { upstream }: TracesOptions) {
  const traces = await startTraces({ environment: process.env, upstream, version: manifest.version, warn: message => fastify.log.warn({ from: 'OpenTelemetry' }, message) })
  fastify.decorate('traces', traces ?? null)
  fastify.addHook('onClose', async () => { await traces?.close() })
}, { name: 'traces' })
