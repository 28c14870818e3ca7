import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import fp from 'fastify-plugin'
import type { IncomingMessage } from 'node:http'
import { randomUUID } from 'node:crypto'
import type { Trust } from '../src/http/trust.ts'

// Printable, without the separators of logs and headers, and bounded.
const SAFE_ID = /^[\w.:@=+/-]{1,128}$/

/** Makes request ids: a new one, or what a trusted peer sent. An option of the Fastify instance. */
export function requestIdOptions (trust: Trust) {
  return {
    genReqId: (request: IncomingMessage) => {
      const received = request.headers['x-request-id']
      return typeof received === 'string' && SAFE_ID.test(received) && trust(request.socket.remoteAddress ?? '', 0) ? received : randomUUID()
    }
  }
}

/** Tells each answer's request id. */
export default fp(function requestIdHeader (fastify: FastifyInstance, _options: FastifyServerOptions, done) {
  fastify.addHook('onRequest', (request, reply, next) => {
    reply.header('x-request-id', request.id)
    next()
  })
  done()
}, { name: 'request-id' })
