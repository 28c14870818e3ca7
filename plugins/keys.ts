import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Credentials } from '../src/http/credentials.ts'
import { presentedKey, type KeySet } from '../src/http/keys.ts'
import { invalidKey, WrongKeys } from '../src/limits/wrong-keys.ts'
import { clientAddress } from './client-address.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The keys in force; they may be replaced at any time. */
    credentials: Credentials
    /**
     * Lets a request pass that presents one of these keys, and notes the key's
     * name as `request.keyName`. Wrong keys are counted by address.
     * @throws GatewayError 401 without a right key, 429 for more than 10 wrong ones from an address in a minute
     */
    keyGuard (request: FastifyRequest, keys: KeySet): void
  }
  interface FastifyRequest {
    /** The name of the key that let the request in; undefined where none was needed. */
    keyName: string | undefined
  }
}

/** What `app.ts` supplies. */
export interface KeysOptions {
  credentials: Credentials
  /** Routes that need none of API_KEYS; one that ends in `/*` stands for all below it. */
  except: readonly string[]
}

/** How often the log tells how many wrong keys came, milliseconds. */
const REPORT = 60_000

/** Checks API keys before anything else of a request is read; unknown routes need one too. */
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
  const wrongKeys = new WrongKeys(address => fastify.log.warn({ address }, 'wrong API keys from this address: further ones are answered with 429'))
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
