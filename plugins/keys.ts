import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { GatewayError } from '../src/errors.ts'
import { KeySet, presentedKey } from '../src/http/keys.ts'

/** What `app.ts` supplies. */
export interface KeysOptions {
  /** The keys that open the gateway; none: it is open to all. */
  keys: readonly string[]
  /** Routes that need none of these keys; one that ends in `/*` stands for all below it. */
  except: readonly string[]
}

/** Checks API keys before anything else of a request is read; unknown routes need one too. */
export default fp(function keys (fastify: FastifyInstance, { keys, except }: KeysOptions, done) {
  if (keys.length === 0) return done()
  const known = new KeySet(keys)
  const prefixes = except.filter(pattern => pattern.endsWith('/*')).map(pattern => pattern.slice(0, -1))
  const isOpen = (route: string | undefined) => route !== undefined && (except.includes(route) || prefixes.some(prefix => route.startsWith(prefix)))
  fastify.addHook('onRequest', (request, _reply, next) => {
    if (isOpen(request.routeOptions.url) || known.has(presentedKey(request.headers))) return next()
    next(new GatewayError('invalid_api_key', { headers: { 'www-authenticate': 'Bearer' } }))
  })
  done()
}, { name: 'keys' })
