import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { GatewayError } from '../src/errors.ts'
import { commonHeaders } from '../src/http/raw-answer.ts'

/** What `app.ts` supplies. */
export interface ExpectOptions {
  /** Largest body in bytes. The client is not asked to send a larger one. */
  bodyLimit: number
}

/**
 * `Expect: 100-continue`: the client is asked for its body only if the request is
 * not refused already, so that a wrong key or a too large body costs no upload.
 * Node alone would send the 100 at once, and would answer any other expectation
 * with an empty 417.
 */
export default fp(function expectPlugin (fastify: FastifyInstance, { bodyLimit }: ExpectOptions, done) {
  const { server } = fastify
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => { server.emit('request', request, response) })
  server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    const error = new GatewayError('expectation_failed')
    const body = JSON.stringify(error.toBody())
    fastify.log.info({ client: request.socket.remoteAddress, outcome: 'refused', status: error.statusCode, error: error.code }, 'refused')
    fastify.metrics.onRefused(error.code)
    response.writeHead(error.statusCode, { ...commonHeaders(), connection: 'close', 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(body) })
    response.end(body)
  })
  fastify.addHook('preParsing', (request, reply, _payload, next) => {
    const { expect, 'content-length': length } = request.headers
    if (expect !== undefined && request.raw.httpVersion === '1.1' && !request.is404 && !(Number(length) > bodyLimit)) reply.raw.writeContinue()
    next()
  })
  done()
}, { name: 'expect' })
