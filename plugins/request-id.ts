import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import fp from 'fastify-plugin'

/** Says each request's id in its answer. The id itself is made by the Fastify instance's `genReqId`. */
export default fp(function requestIdHeader (fastify: FastifyInstance, _options: FastifyServerOptions, done) {
  fastify.addHook('onRequest', (request, reply, next) => {
    reply.header('x-request-id', request.id)
    next()
  })
  done()
}, { name: 'request-id' })
