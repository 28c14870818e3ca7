import rateLimitPlugin from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { createHash } from 'node:crypto'
import { GatewayError } from '../src/errors.ts'
import { presentedKey } from '../src/http/keys.ts'

/** What `app.ts` supplies. */
export interface RateLimitOptions {
  /** Requests in a minute, for each key, or each address where none is presented. 0: no limit. */
  perMinute: number
  /** The keys are checked: a presented one is real, and worth counting by. */
  keyed: boolean
}

/** Limits how fast one client may ask, so that it cannot crowd out the others. */
export default fp(async function rateLimit (fastify: FastifyInstance, { perMinute, keyed }: RateLimitOptions) {
  if (perMinute === 0) return
  await fastify.register(rateLimitPlugin, {
    max: perMinute,
    timeWindow: '1 minute',
    keyGenerator: request => {
      const key = keyed ? presentedKey(request.headers) : undefined
      return key === undefined ? request.ip : createHash('sha256').update(key).digest('base64')
    },
    allowList: request => request.routeOptions.url === '/healthz' || request.routeOptions.url === '/readyz',
    errorResponseBuilder: (_request, { ttl }) => new GatewayError('rate_limit_exceeded', { headers: { 'retry-after': String(Math.ceil(ttl / 1000)) } })
  })
}, { name: 'rate-limit' })
