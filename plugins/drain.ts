import type { ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { GatewayError } from '../src/errors.ts'

declare module 'fastify' {
  interface FastifyInstance {
    drain: Drain
  }
}

/** How far a process is on its way out, and what it still has to do. */
export interface Drain {
  /**
   * - `no`: it serves.
   * - `leaving`: its siblings stay. It serves what comes on open connections, and closes each with its answer.
   * - `refusing`: the gateway ends. New requests get a 503, so that a balancer sends them elsewhere.
   */
  state: 'no' | 'leaving' | 'refusing'
  /** Answers that are not yet wholly handed to the system. */
  active: number
  /** When the last request came, by `performance.now()`. */
  lastRequestAt: number
}

const RETRY_ELSEWHERE = { 'retry-after': '1', 'x-should-retry': 'true' }

/** Counts the answers under way, and turns requests away while the gateway ends; health routes still answer. */
export default fp(function drainPlugin (fastify: FastifyInstance, _options, done) {
  const drain: Drain = { state: 'no', active: 0, lastRequestAt: 0 }
  const onClose = () => { drain.active-- }
  fastify.decorate('drain', drain)
  fastify.server.on('request', (_request, response: ServerResponse) => {
    drain.active++
    drain.lastRequestAt = performance.now()
    response.on('close', onClose)
  })
  fastify.addHook('onRequest', (request, reply, next) => {
    if (drain.state === 'no') return next()
    reply.header('connection', 'close')
    if (drain.state === 'leaving' || request.routeOptions.url === '/healthz' || request.routeOptions.url === '/readyz') return next()
    next(new GatewayError('draining', { headers: RETRY_ELSEWHERE }))
  })
  done()
}, { name: 'drain' })
