import { Type } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { ErrorSchema, GatewayError } from '../src/errors.ts'

/** Routes that probes and scrapers ask every few seconds: they answer to the end, and are neither traced nor logged at `info`. */
export const PROBES: ReadonlySet<string> = new Set(['/healthz', '/readyz', '/metrics'])

const StatusSchema = Type.Object({ status: Type.String() }, { examples: [{ status: 'ok' }] })

/**
 * `/healthz`: the process is alive. `/readyz`: the catalog can be served and the
 * process is not draining. Neither depends on the inference service, because its
 * failure must not take the catalog out of rotation.
 */
export default fp(function health (fastify: FastifyInstance, _options, done) {
  fastify.get('/healthz', {
    schema: {
      operationId: 'getHealth',
      tags: ['health'],
      summary: 'The process is alive',
      security: [],
      response: { 200: StatusSchema }
    }
  }, (_request, reply) => { reply.send({ status: 'ok' }) })

  fastify.get('/readyz', {
    schema: {
      operationId: 'getReadiness',
      tags: ['health'],
      summary: 'The catalog can be served, and the process is not shutting down',
      security: [],
      response: { 200: StatusSchema, 503: ErrorSchema }
    }
  }, (_request, reply) => {
    if (fastify.drain.draining) throw new GatewayError('draining')
    reply.send({ status: 'ready' })
  })
  done()
}, { name: 'health', dependencies: ['drain'] })
