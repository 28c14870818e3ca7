import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { GatewayError } from '../src/errors.ts'
import type { Origins } from '../src/http/origins.ts'

/** What `app.ts` supplies. */
export interface OriginOptions {
  origins: Origins
}

/**
 * Answers 403 to pages of origins that are not allowed, before the request goes on.
 * CORS only prevents a page from reading the answer: a POST of type `text/plain` is
 * sent without a preflight and would reach the inference service.
 */
export default fp(function origin (fastify: FastifyInstance, { origins }: OriginOptions, done) {
  fastify.addHook('onRequest', (request, _reply, next) => {
    const { origin } = request.headers
    if (origin === undefined || origins.isListed(origin) || origins.isOwn(origin, request)) return next()
    next(new GatewayError('origin_not_allowed', { message: 'Pages of this origin may not use the gateway: CORS_ORIGINS does not list it.' }))
  })
  done()
}, { name: 'origin' })
