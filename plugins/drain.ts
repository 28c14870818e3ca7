import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { GatewayError } from '../src/errors.ts'
import { answeredInstead } from '../src/http/raw-answer.ts'
import { PROBES } from './health.ts'
import { logAnswered, logLeft } from './request-log.ts'

declare module 'fastify' {
  interface FastifyInstance {
    drain: Drain
  }
}

/** Whether the process is ending, and the number of its open requests. */
export interface Drain {
  /** New requests get a 503, so that a balancer or client retries them elsewhere. */
  draining: boolean
  /** Requests whose answers are not yet complete. */
  active: number
  /** Requests that were refused because the process is ending. */
  refused: number
}

const RETRY_ELSEWHERE = { 'retry-after': '1', 'x-should-retry': 'true' }

/** Logs a request that has no answer of Fastify's: its client left, or was refused on its socket. */
function logUnfinished (request: FastifyRequest, reply: FastifyReply): void {
  const refusal = answeredInstead(reply.raw)
  if (refusal === undefined) return logLeft(request, reply)
  request.errorCode = refusal.code
  request.server.metrics.onRefused(refusal.code)
  logAnswered(request, reply.code(refusal.statusCode))
}

/** Counts the requests under way, logs those whose client leaves before the gateway's own answer, and refuses new ones while the gateway ends. Probes still get an answer. */
export default fp(function drainPlugin (fastify: FastifyInstance, _options, done) {
  const drain: Drain = { draining: false, active: 0, refused: 0 }
  fastify.decorate('drain', drain)
  fastify.addHook('onRequest', (request, reply, next) => {
    drain.active++
    reply.raw.once('close', () => {
      drain.active--
      // Fastify's log is told of answers that end, and no one else sees these.
      if (!reply.proxied && !reply.raw.writableFinished && reply.raw.errored === null) logUnfinished(request, reply)
    })
    if (!drain.draining) return next()
    reply.header('connection', 'close')
    if (PROBES.has(request.routeOptions.url ?? '')) return next()
    drain.refused++
    next(new GatewayError('draining', { headers: RETRY_ELSEWHERE }))
  })
  done()
}, { name: 'drain' })
