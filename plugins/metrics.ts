import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { GatewayError } from '../src/errors.ts'
import { preferredFormat } from '../src/telemetry/accept.ts'
import { GatewayMetrics, type GatewayState } from '../src/telemetry/metrics.ts'
import { CONTENT_TYPES } from '../src/telemetry/registry.ts'
import manifest from '../package.json' with { type: 'json' }

declare module 'fastify' {
  interface FastifyInstance {
    /** Counts what happens to requests. */
    metrics: GatewayMetrics
  }
}

/** What `app.ts` supplies. */
export interface MetricsOptions {
  host: string
  /** A port of its own; absent: `/metrics` is a route like the others, behind API_KEYS. */
  port: number | undefined
  /** MAX_QUEUED_REQUESTS. */
  queueLimit: number
  /** MODEL_CACHE_TIMEOUT, seconds. */
  catalogMaxAge: number
  state: GatewayState
}

/** `GET /metrics`, and the counting of all answers that are sent whole. */
export default fp(function metrics (fastify: FastifyInstance, { host, port, queueLimit, catalogMaxAge, state }: MetricsOptions, done) {
  let known: ReadonlySet<string> = new Set()
  const update = () => { known = new Set(fastify.catalog.list().map(({ id }) => id)) }
  fastify.catalog.onChange(update)
  update()

  const metrics = new GatewayMetrics({ state, knowsModel: id => known.has(id), version: manifest.version, queueLimit, catalogMaxAge })
  fastify.decorate('metrics', metrics)
  fastify.addHook('onResponse', (request, reply, next) => {
    metrics.onAnswer(request.is404 ? undefined : request.routeOptions.url, request.method, reply.statusCode)
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
}, { name: 'metrics', dependencies: ['catalog'] })
