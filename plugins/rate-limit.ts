import rateLimitPlugin, { type FastifyRateLimitStore, type RateLimitPluginOptions } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply } from 'fastify'
import fp from 'fastify-plugin'
import { GatewayError } from '../src/errors.ts'
import { Outage } from '../src/limits/outage.ts'
import { WindowCounts } from '../src/limits/window-counts.ts'
import { within } from '../src/limits/within.ts'
import { clientAddress } from './client-address.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The shared counter in Redis; null without REDIS_URL. */
    sharedLimit: SharedLimit | null
  }
}

/** The state of the shared counter. */
export interface SharedLimit {
  /** False after several failures in a row or a closed connection, until it answers again. */
  readonly available: boolean
  /** Requests that were not counted. */
  readonly uncounted: number
}

/** What `app.ts` supplies. */
export interface RateLimitOptions {
  /** Requests in a minute for each key name, or for each address without keys. 0: no limit. */
  perMinute: number
  /** Redis for a common count of several processes. */
  redisUrl: string | undefined
}

const MINUTE = 60_000
/** Clients that are counted at the same time; they take at most 8 MB. */
const CLIENTS = 32_768
/** Longest time that a request waits for Redis, milliseconds. */
const REDIS_LIMIT = 40
const EXEMPT = ['/healthz', '/readyz']

/** Limits the request rate of each client. */
export default fp(async function rateLimit (fastify: FastifyInstance, { perMinute, redisUrl }: RateLimitOptions) {
  fastify.decorate('sharedLimit', null)
  if (perMinute === 0) return
  const shared = redisUrl === undefined ? undefined : await sharedCounter(fastify, redisUrl)
  await fastify.register(rateLimitPlugin, {
    // The plugin's own hook does not distinguish a failed Redis from a count of zero.
    global: false,
    max: perMinute,
    timeWindow: MINUTE,
    keyGenerator: request => request.keyName === undefined ? `address:${clientAddress(request)}` : `key:${request.keyName}`,
    ...(shared?.store ?? { store: MemoryStore })
  })
  const count = fastify.createRateLimit()
  fastify.addHook('onRequest', async (request, reply) => {
    if (EXEMPT.includes(request.routeOptions.url ?? '')) return
    const counted = await (shared === undefined ? count(request) : shared.count(async () => await count(request)))
    if (counted !== undefined && !counted.isAllowed) limit(reply, counted)
  })
}, { name: 'rate-limit', dependencies: ['keys'] })

type Count = ReturnType<FastifyInstance['createRateLimit']>
type Counted = Extract<Awaited<ReturnType<Count>>, { isAllowed: false }>

/**
 * Sets the rate-limit headers, and refuses requests above the limit. `RateLimit`
 * and `RateLimit-Policy` follow draft-ietf-httpapi-ratelimit-headers-10; the other
 * three follow its versions up to 06, which more clients read. @throws GatewayError
 * above the limit
 */
function limit (reply: FastifyReply, { max, remaining, ttlInSeconds, isExceeded }: Counted): void {
  const reset = Math.max(1, ttlInSeconds)
  reply.headers({
    'ratelimit-policy': `"minute";q=${max};w=${MINUTE / 1000}`,
    ratelimit: `"minute";r=${remaining};t=${reset}`,
    'ratelimit-limit': String(max),
    'ratelimit-remaining': String(remaining),
    'ratelimit-reset': String(reset)
  })
  if (isExceeded) throw new GatewayError('rate_limit_exceeded', { headers: { 'retry-after': String(reset) } })
}

/** Counts in this process. The plugin's own store keeps 5,000 clients only. */
class MemoryStore implements FastifyRateLimitStore {
  readonly #counts = new WindowCounts(MINUTE, CLIENTS)

  incr (key: string, callback: (error: Error | null, result?: { current: number, ttl: number }) => void): void {
    const { count, rest } = this.#counts.add(key, performance.now())
    callback(null, { current: count, ttl: rest })
  }

  child (): MemoryStore {
    return this
  }
}

interface SharedCounter {
  readonly store: Pick<RateLimitPluginOptions, 'redis' | 'nameSpace'>
  /** Counts in Redis; undefined after a short wait if it does not answer, so that a request never fails because of Redis. */
  count <T> (ask: () => Promise<T>): Promise<T | undefined>
}

async function sharedCounter (fastify: FastifyInstance, url: string): Promise<SharedCounter> {
  // Loaded only if it is used, because it takes a part of the time to start.
  const { connectRedis } = await import('../src/limits/redis.ts')
  const outage = new Outage(error => {
    if (error === undefined) fastify.log.info('Redis answers again: requests are counted')
    else fastify.log.warn({ err: { type: error.name, message: error.message } }, 'Redis does not answer: requests are not counted until it does')
  })
  let uncounted = 0
  const redis = await connectRedis(url, { onLost: error => outage.lost(error, performance.now()), onReady: () => outage.answered() })
  fastify.addHook('onClose', async () => redis.disconnect())
  fastify.sharedLimit = {
    get available () { return !outage.isDown },
    get uncounted () { return uncounted }
  }

  return {
    store: { redis, nameSpace: 'model-gateway:rate-limit:' },
    async count (ask) {
      const asked = performance.now()
      if (outage.mayAsk(asked)) {
        try {
          const counted = await within(REDIS_LIMIT, ask())
          outage.answered()
          return counted
        } catch (error) {
          outage.failed(error as Error, asked, performance.now())
        }
      }
      uncounted++
      return undefined
    }
  }
}
