import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { GatewayError } from '../src/errors.ts'
import { preferredFormat } from '../src/telemetry/accept.ts'
import { GatewayMetrics, type GatewayState } from '../src/telemetry/metrics.ts'
import { CONTENT_TYPES } from '../src/telemetry/registry.ts'
import { toGatewayError } from './errors.ts'
import manifest from '../package.json' with { type: 'json' }

declare module 'fastify' {
  interface FastifyInstance {
    /** The gateway's metrics. */
    metrics: GatewayMetrics
  }
}

/** What `app.ts` supplies. */
export interface MetricsOptions {
  host: string
  /** A separate port. Undefined: `/metrics` is an ordinary route behind API_KEYS. */
  port: number | undefined
  /** MAX_QUEUED_REQUESTS. */
  queueLimit: number
  /** MODEL_CACHE_TIMEOUT, seconds. */
  catalogMaxAge: number
}

/** `GET /metrics`, and the counting of complete answers. */
export default fp(function metrics (fastify: FastifyInstance, { host, port, queueLimit, catalogMaxAge }: MetricsOptions, done) {
  let known: ReadonlySet<string> = new Set()
  fastify.addHook('onReady', async () => {
    const update = () => { known = new Set(fastify.catalog.list().map(({ id }) => id)) }
    fastify.catalog.onChange(update)
    update()
  })

  const metrics = new GatewayMetrics({ state: stateOf(fastify), knowsModel: id => known.has(id), version: manifest.version, queueLimit, catalogMaxAge })
  fastify.decorate('metrics', metrics)
  fastify.addHook('onResponse', (request, reply, next) => {
    metrics.onAnswer(request.is404 ? undefined : request.routeOptions.url, request.method, reply.statusCode)
    next()
  })

  fastify.addHook('onError', (_request, reply, error, next) => {
    // A proxied request is counted at the end of its exchange, and where the client has left nobody is refused.
    if (!reply.proxied && !reply.raw.destroyed) metrics.onRefused(toGatewayError(error).code)
    next()
  })

  async function answer (request: FastifyRequest, reply: FastifyReply): Promise<string> {
    const format = preferredFormat(request.headers.accept)
    reply.header('content-type', CONTENT_TYPES[format])
    return await metrics.text(format)
  }

  if (port === undefined) {
    fastify.get('/metrics', { schema: { hide: true } }, answer)
  } else {
    const own = Fastify({ forceCloseConnections: true })
    own.get('/metrics', answer)
    own.setNotFoundHandler((_request, reply) => { reply.code(404).send(new GatewayError('not_found').toBody()) })
    fastify.addHook('onReady', async () => { fastify.log.info(`metrics at ${await own.listen({ host, port })}/metrics`) })
    fastify.addHook('onClose', async () => { await own.close() })
  }
  done()
}, { name: 'metrics' })

/** The state of the parts, which are registered later. */
function stateOf (fastify: FastifyInstance): GatewayState {
  return {
    inFlight: () => fastify.forwarder.inFlight,
    queued: () => fastify.forwarder.queued,
    upstreamConnections: () => fastify.forwarder.connections,
    uncounted: () => fastify.sharedLimit?.uncounted,
    spool: () => ({ bodies: fastify.forwarder.space.files, bytes: fastify.forwarder.space.bytes }),
    catalog: () => ({ models: fastify.catalog.list().length, age: fastify.catalog.freshness().age, refreshes: fastify.catalog.refreshes })
  }
}
