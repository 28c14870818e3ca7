import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { GatewayError } from '../src/errors.ts'
import { writeError } from '../src/http/write-error.ts'

/** What `app.ts` supplies. */
export interface ExpectOptions {
  /** Bodies said to be larger are refused: they are not asked for. */
  bodyLimit: number
}

/**
 * `Expect`: a body is asked for (100) only once nothing speaks against it, so
 * that a wrong key or a body too large costs no upload. Node by itself would
 * ask at once, and answer any other expectation with an empty 417.
 */
export default fp(function expectPlugin (fastify: FastifyInstance, { bodyLimit }: ExpectOptions, done) {
  const { server } = fastify
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => { server.emit('request', request, response) })
  server.on('checkExpectation', (_request: IncomingMessage, response: ServerResponse) => {
    writeError(response, new GatewayError('expectation_failed'), { connection: 'close' })
  })
  fastify.addHook('preParsing', (request, reply, _payload, next) => {
    const { expect, 'content-length': length } = request.headers
    if (expect !== undefined && request.raw.httpVersion === '1.1' && !request.is404 && !(Number(length) > bodyLimit)) reply.raw.writeContinue()
    next()
  })
  done()
}, { name: 'expect' })
