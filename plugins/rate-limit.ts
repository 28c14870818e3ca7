import rateLimitPlugin from '@fastify/rate-limit'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { createHash } from 'node:crypto'
import { GatewayError } from '../src/errors.ts'
import { KeySet, presentedKey } from '../src/http/keys.ts'

/** What `app.ts` supplies. */
export interface RateLimitOptions {
  /** Requests in a minute, for each key, or each address where no known one is presented. 0: no limit. */
  perMinute: number
  /** The keys to count by. Another, as open routes let it through, would be a fresh count for whoever makes one up. */
  keys: readonly string[]
}

/** Limits how fast one client may ask, so that it cannot crowd out the others. */
export default fp(async function rateLimit (fastify: FastifyInstance, { perMinute, keys }: RateLimitOptions) {
  if (perMinute === 0) return
  const known = new KeySet(keys)
  await fastify.register(rateLimitPlugin, {
    max: perMinute,
    timeWindow: '1 minute',
    keyGenerator: request => {
      const key = presentedKey(request.headers)
      return key !== undefined && known.has(key) ? createHash('sha256').update(key).digest('base64') : request.ip
    },
    allowList: request => request.routeOptions.url === '/healthz' || request.routeOptions.url === '/readyz',
    errorResponseBuilder: (_request, { ttl }) => new GatewayError('rate_limit_exceeded', { headers: { 'retry-after': String(Math.ceil(ttl / 1000)) } })
  })
}, { name: 'rate-limit' })
