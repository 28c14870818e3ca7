import cors, { type FastifyCorsOptionsDelegateCallback } from '@fastify/cors'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

/** What `app.ts` supplies. */
export interface CorsOptions {
  /** Origins whose pages may read answers; `*` is any, none is those of this machine. */
  origins: readonly string[]
}

const LOCALHOST = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']
const ALLOWED = new Set(['accept', 'authorization', 'content-type', 'idempotency-key', 'if-match', 'if-none-match', 'user-agent', 'x-api-key', 'x-request-id'])
// OpenAI clients send growing families of these; a fixed list would break at their next release.
const CLIENTS_OWN = /^(x-stainless|openai)-[a-z-]+$/
const EXPOSED = ['age', 'cache-status', 'etag', 'location', 'retry-after', 'x-request-id', 'x-should-retry']

async function corsPlugin (app: FastifyInstance, { origins }: CorsOptions): Promise<void> {
  const any = origins.includes('*')
  const listed = new Set(origins.map(normalize))
  const isAllowed = (origin: string) => any || (listed.size === 0 ? LOCALHOST.test(origin) : listed.has(origin))

  const delegator: FastifyCorsOptionsDelegateCallback = ({ headers, method }, done) => {
    const { origin = '' } = headers
    // An OPTIONS request that is no preflight is answered as any other unknown route.
    const asks = method !== 'OPTIONS' || headers['access-control-request-method'] !== undefined
    done(null, {
      origin: origin !== '' && asks && isAllowed(origin) && (any ? '*' : origin),
      methods: METHODS,
      allowedHeaders: allowedOf(headers['access-control-request-headers']),
      exposedHeaders: EXPOSED,
      maxAge: 600
    })
  }
  await app.register(cors, { delegator })
}

/** As a browser writes it in `Origin`: no path, no default port. */
function normalize (origin: string): string {
  return /^https?:/i.test(origin) ? URL.parse(origin)?.origin ?? origin : origin
}

function allowedOf (requested: unknown): string[] {
  if (typeof requested !== 'string') return []
  return requested.toLowerCase().split(',').map(name => name.trim()).filter(name => ALLOWED.has(name) || CLIENTS_OWN.test(name))
}

/** Lets pages of other origins use the gateway. Comes before every plugin that may refuse a request. */
export default fp(corsPlugin, { name: 'cors', fastify: '5.x' })
