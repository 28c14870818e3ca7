import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { GatewayError } from '../src/errors.ts'

declare module 'fastify' {
  interface FastifyInstance {
    drain: {
      /** The process takes no new requests: it is about to end. */
      draining: boolean
    }
  }
}

/**
 * While the process drains, new requests get a 503 that closes their connection,
 * so that a balancer sends them elsewhere; health routes still answer.
 */
export default fp(function drain (fastify: FastifyInstance, _options, done) {
  fastify.decorate('drain', { draining: false })
  fastify.addHook('onRequest', (request, reply, next) => {
    if (!fastify.drain.draining) return next()
    reply.header('connection', 'close')
    if (request.routeOptions.url === '/healthz' || request.routeOptions.url === '/readyz') return next()
    next(new GatewayError('draining', { headers: { 'retry-after': '1', 'x-should-retry': 'true' } }))
  })
  done()
}, { name: 'drain' })
