import Fastify, { type FastifyInstance } from 'fastify'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import admin from '../plugins/admin.ts'
import catalog from '../plugins/catalog.ts'
import cors from '../plugins/cors.ts'
import docs from '../plugins/docs.ts'
import drain from '../plugins/drain.ts'
import errors, { errorOptions } from '../plugins/errors.ts'
import expect from '../plugins/expect.ts'
import health from '../plugins/health.ts'
import keys from '../plugins/keys.ts'
import pages from '../plugins/pages.ts'
import proxy from '../plugins/proxy.ts'
import rateLimit from '../plugins/rate-limit.ts'
import requestIdHeader from '../plugins/request-id.ts'
import { logDestination, RequestLog } from '../plugins/request-log.ts'
import securityHeaders from '../plugins/security-headers.ts'
import type { Config } from './config.ts'
import { requestIds } from './http/request-id.ts'
import { compileTrust } from './http/trust.ts'
import { listEndpoints } from './proxy/endpoints.ts'

/** What needs none of API_KEYS; /admin has a key of its own. */
const OPEN_ROUTES = ['/', '/healthz', '/readyz', '/docs', '/docs/*', '/openapi.json', '/admin', '/admin/*', '/studio', '/studio/', '/pages/*']

/**
 * The gateway, ready to listen. Plugins in order: what a request passes, first
 * to last.
 */
export async function buildApp (config: Config): Promise<FastifyInstance> {
  const trust = compileTrust(config.TRUST_PROXY)
  const logs = logDestination()
  const requestLog = new RequestLog(logs, config.LOG_LEVEL)
  const requestId = requestIds()
  const app = Fastify({
    ...errorOptions(requestLog),
    logger: { level: config.LOG_LEVEL, stream: logs },
    logController: requestLog,
    trustProxy: trust,
    // The catalog waits for its database, and has a limit of its own.
    pluginTimeout: 0,
    http: {
      // Node wants the headers' limit within the whole request's.
      headersTimeout: wholeMs(Math.min(config.CLIENT_HEADERS_TIMEOUT, config.CLIENT_BODY_TIMEOUT)),
      connectionsCheckingInterval: 500,
      // Node's own answer to a missing Host has no body; plugins/errors.ts has one.
      requireHostHeader: false
    },
    requestTimeout: wholeMs(config.CLIENT_BODY_TIMEOUT),
    genReqId: request => requestId(request.headers['x-request-id'], trust(request.socket.remoteAddress ?? '', 0)),
    routerOptions: { maxParamLength: 512 }
  }).withTypeProvider<TypeBoxTypeProvider>()

  // every request
  await app.register(errors)
  await app.register(expect, { bodyLimit: config.BODY_LIMIT })
  await app.register(requestIdHeader)
  await app.register(securityHeaders)
  await app.register(cors, { origins: config.CORS_ORIGINS })
  await app.register(drain)
  await app.register(keys, { keys: config.API_KEYS, except: OPEN_ROUTES })
  await app.register(rateLimit, { perMinute: config.RATE_LIMIT, keys: config.API_KEYS })

  // open to all; the docs come before the routes that they show
  await app.register(docs, { endpoints: listEndpoints(config.PROXY_EXTRA_PATHS) })
  await app.register(health)
  await app.register(pages, { config })

  // behind API_KEYS
  await app.register(catalog, { config })
  await app.register(proxy, { config, trust, requestLog })

  // behind ADMIN_API_KEY
  await app.register(admin, { keys: config.ADMIN_API_KEY })

  return app as unknown as FastifyInstance
}

/** Seconds → milliseconds as Node takes them: whole (2.01 * 1000 is not), and not 0, which means no limit. */
function wholeMs (seconds: number): number {
  return Math.max(1, Math.round(seconds * 1000))
}
