import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { answeredInstead } from '../src/http/raw-answer.ts'
import { startTraces, type AnsweredRequest, type RequestSpan } from '../src/telemetry/traces.ts'
import { PROBES } from './health.ts'
import manifest from '../package.json' with { type: 'json' }

declare module 'fastify' {
  interface FastifyRequest {
    /** Undefined: traces are off, or the request is a probe. */
    span: RequestSpan | undefined
  }
}

/** What `app.ts` supplies. */
export interface TracesOptions {
  /** INFERENCE_SERVICE_URL. */
  upstream: string
}

/**
 * A server span for each request, if OpenTelemetry's standard variables switch traces
 * on (docs/operations.md). The exchange of a proxied request ends its span, because it
 * knows more and may outlast the response; those of all others end with the response.
 */
export default fp(async function traces (fastify: FastifyInstance, { upstream }: TracesOptions) {
  const traces = await startTraces({ environment: process.env, upstream, version: manifest.version, warn: message => fastify.log.warn({ from: 'OpenTelemetry' }, message) })
  if (traces === undefined) return
  fastify.decorateRequest('span', undefined)
  fastify.addHook('onRequest', (request, reply, next) => {
    if (!PROBES.has(request.routeOptions.url ?? '')) {
      const span = request.span = traces.startServerSpan(request.headers)
      reply.raw.once('close', () => { if (!reply.proxied) span.endAnswered(answered(request, reply)) })
    }
    next()
  })
  fastify.addHook('onClose', async () => { await traces.close() })
}, { name: 'traces' })

function answered (request: FastifyRequest, { raw, statusCode }: FastifyReply): AnsweredRequest {
  const instead = answeredInstead(raw)
  return {
    method: request.method,
    route: request.is404 ? undefined : request.routeOptions.url,
    status: instead?.statusCode ?? (raw.headersSent ? statusCode : undefined),
    error: instead?.code ?? request.errorCode ?? (raw.writableFinished ? undefined : 'client_left')
  }
}
