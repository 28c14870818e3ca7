import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Credentials } from '../src/http/credentials.ts'
import { presentedKey, type KeySet } from '../src/http/keys.ts'
import { invalidKey, WrongKeys } from '../src/limits/wrong-keys.ts'
import { clientAddress } from './client-address.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The present keys; they may be replaced at any time. */
    credentials: Credentials
    /**
     * Accepts a request with one of these keys, and sets `request.keyName`. Counts
     * wrong keys by address. @throws GatewayError 401 for a missing or wrong key,
     * 429 for more than 10 wrong ones from an address in a minute
     */
    keyGuard (request: FastifyRequest, keys: KeySet): void
  }
  interface FastifyRequest {
    /** The name of the request's key; undefined if no key is required. */
    keyName: string | undefined
  }
}

/** What `app.ts` supplies. */
export interface KeysOptions {
  credentials: Credentials
  /** Routes without a key. A trailing `/*` includes all routes below. */
  except: readonly string[]
}

/** Interval at which the number of wrong keys is logged, milliseconds. */
const REPORT = 60_000

/** Checks API keys before the body is read. Unknown routes need a key too. */
export default fp(function keys (fastify: FastifyInstance, { credentials, except }: KeysOptions, done) {
  fastify.decorate('credentials', credentials)
  fastify.decorateRequest('keyName', undefined)
  fastify.decorate('keyGuard', keyGuard(fastify))
  if (credentials.apiKeys.size === 0) return done()

  const prefixes = except.filter(pattern => pattern.endsWith('/*')).map(pattern => pattern.slice(0, -1))
  const isOpen = (route: string | undefined) => route !== undefined && (except.includes(route) || prefixes.some(prefix => route.startsWith(prefix)))
  fastify.addHook('onRequest', (request, _reply, next) => {
    if (!isOpen(request.routeOptions.url)) fastify.keyGuard(request, credentials.apiKeys)
    next()
  })
  done()
}, { name: 'keys' })

function keyGuard (fastify: FastifyInstance): FastifyInstance['keyGuard'] {
  const wrongKeys = new WrongKeys(address => fastify.log.warn({ address }, 'too many wrong API keys from this address: further ones get a 429'))
  const report = () => {
    const counts = wrongKeys.takeReport()
    if (counts !== undefined) fastify.log.warn(counts, 'wrong API keys in the last minute')
  }
  const timer = setInterval(report, REPORT).unref()
  fastify.addHook('onClose', async () => {
    clearInterval(timer)
    report()
  })

  return (request, keys) => {
    const key = presentedKey(request.headers)
    const name = keys.find(key)
    if (name !== undefined) request.keyName = name
    else throw key === undefined ? invalidKey() : wrongKeys.refusal(clientAddress(request), performance.now())
  }
}
