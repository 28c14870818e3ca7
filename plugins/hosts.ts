import { hostname } from 'node:os'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { GatewayError } from '../src/errors.ts'
import { hostCheck, targetHost } from '../src/http/hosts.ts'

/** What `app.ts` supplies. */
export interface HostsOptions {
  /** Whether a key is required. If so, any host name is accepted, because a page of another site has no key. */
  keyed: boolean
  /** Further names, besides local ones. */
  allowed: readonly string[]
  publicUrl: string | undefined
}

/** Answers 421 to requests for a name that is not this gateway's: see {@link hostCheck}. */
export default fp(function hosts (fastify: FastifyInstance, { keyed, allowed, publicUrl }: HostsOptions, done) {
  if (keyed) return done()
  const isOurs = hostCheck(hostname(), publicUrl === undefined ? allowed : [...allowed, new URL(publicUrl).hostname])
  fastify.addHook('onRequest', ({ raw }, _reply, next) => {
    if (isOurs(targetHost(raw.url!, raw.headers.host))) return next()
    next(new GatewayError('misdirected_request', { message: 'The gateway does not answer under this host name: it has no API_KEYS, and ALLOWED_HOSTS does not list the name.' }))
  })
  done()
}, { name: 'hosts' })
