import type { FastifyInstance, FastifyServerOptions } from 'fastify'
import fp from 'fastify-plugin'
import type { IncomingMessage } from 'node:http'
import { randomUUID } from 'node:crypto'
import type { Trust } from '../src/http/trust.ts'

// Printable, without the separators of logs and headers, and bounded.
const SAFE_ID = /^[\w.:@=+/-]{1,128}$/

/** An option of the Fastify instance: a random request id, or the one of a trusted peer. */
export function requestIdOptions (trust: Trust) {
  return {
    genReqId: (request: IncomingMessage) => {
      const received = request.headers['x-request-id']
      return typeof received === 'string' && SAFE_ID.test(received) && trust(request.socket.remoteAddress ?? '', 0) ? received : randomUUID()
    }
  }
}

/** Adds `X-Request-Id` to every answer. */
export default fp(function requestIdHeader (fastify: FastifyInstance, _options: FastifyServerOptions, done) {
  fastify.addHook('onRequest', (request, reply, next) => {
    reply.header('x-request-id', request.id)
    next()
  })
  done()
}, { name: 'request-id' })
