import cors, { type FastifyCorsOptionsDelegateCallback } from '@fastify/cors'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Origins } from '../src/http/origins.ts'

/** What `app.ts` supplies. */
export interface CorsOptions {
  origins: Origins
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']
// The asterisk exposes all headers, such as openai-* and x-ratelimit-*, to requests
// without credentials, and no others are allowed. The names are those that SDKs
// read, for browsers that do not support the asterisk.
const EXPOSED = [
  'age', 'cache-status', 'etag', 'location', 'content-disposition',
  'x-request-id', 'request-id', 'openai-processing-ms',
  'retry-after', 'retry-after-ms', 'x-should-retry',
  'ratelimit', 'ratelimit-policy', 'ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset',
  '*'
]
// RFC 9110 section 5.6.2.
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/

async function corsPlugin (app: FastifyInstance, { origins }: CorsOptions): Promise<void> {
  const delegator: FastifyCorsOptionsDelegateCallback = ({ headers, method }, done) => {
    const { origin = '' } = headers
    // An OPTIONS request that is not a preflight is an unknown route.
    const asks = method !== 'OPTIONS' || headers['access-control-request-method'] !== undefined
    done(null, {
      origin: origin !== '' && asks && origins.isListed(origin) && (origins.any ? '*' : origin),
      methods: METHODS,
      allowedHeaders: tokensOf(headers['access-control-request-headers']),
      exposedHeaders: EXPOSED,
      maxAge: 600
    })
  }
  await app.register(cors, { delegator })
}

/**
 * An allowed page may send any header, because a list of names would break with new
 * releases of clients.
 */
function tokensOf (requested: unknown): string[] {
  if (typeof requested !== 'string') return []
  return requested.toLowerCase().split(',').map(name => name.trim()).filter(name => TOKEN.test(name))
}

/** Lets pages of other origins use the gateway. Comes before every plugin that may refuse a request. */
export default fp(corsPlugin, { name: 'cors', fastify: '5.x' })
