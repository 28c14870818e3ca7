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
import hosts from '../plugins/hosts.ts'
import keys from '../plugins/keys.ts'
import metrics from '../plugins/metrics.ts'
import origin from '../plugins/origin.ts'
import pages from '../plugins/pages.ts'
import proxy from '../plugins/proxy.ts'
import rateLimit from '../plugins/rate-limit.ts'
import reload from '../plugins/reload.ts'
import requestIdHeader, { requestIdOptions } from '../plugins/request-id.ts'
import { logOptions } from '../plugins/request-log.ts'
import securityHeaders from '../plugins/security-headers.ts'
import { serializerOptions } from '../plugins/serializers.ts'
import traces from '../plugins/traces.ts'
import type { Config } from './config.ts'
import { Credentials } from './http/credentials.ts'
import { Origins } from './http/origins.ts'
import { serverOptions } from './http/server-options.ts'
import { compileTrust } from './http/trust.ts'
import { listEndpoints } from './proxy/endpoints.ts'

/** What needs none of API_KEYS; /admin has a key of its own. */
const OPEN_ROUTES = ['/', '/healthz', '/readyz', '/docs', '/docs/*', '/openapi.json', '/admin', '/admin/*', '/studio', '/pages/*']

/**
 * The gateway, ready to listen. Plugins in order: what a request passes, first
 * to last.
 */
export async function buildApp (config: Config): Promise<FastifyInstance> {
  const trust = compileTrust(config.TRUST_PROXY)
  const origins = new Origins(config.CORS_ORIGINS, config.PUBLIC_URL)
  const app = Fastify({
    ...serverOptions(config),
    ...errorOptions(),
    ...requestIdOptions(trust),
    ...logOptions(config.LOG_LEVEL),
    ...serializerOptions(),
    trustProxy: trust,
    // The catalog waits for its database, and has a limit of its own.
    pluginTimeout: 0,
    routerOptions: { maxParamLength: 2048, ignoreDuplicateSlashes: true, ignoreTrailingSlash: true }
  }).withTypeProvider<TypeBoxTypeProvider>()

  // every request
  await app.register(reload)
  await app.register(traces, { upstream: config.INFERENCE_SERVICE_URL })
  await app.register(requestIdHeader)
  await app.register(securityHeaders)
  await app.register(errors)
  await app.register(expect, { bodyLimit: config.BODY_LIMIT })
  await app.register(cors, { origins })
  await app.register(hosts, { keyed: config.API_KEYS.length > 0, allowed: config.ALLOWED_HOSTS, publicUrl: config.PUBLIC_URL })
  await app.register(origin, { origins })
  await app.register(drain)
  await app.register(metrics, { host: config.HOST, port: config.METRICS_PORT, queueLimit: config.MAX_QUEUED_REQUESTS, catalogMaxAge: config.MODEL_CACHE_TIMEOUT })
  await app.register(keys, { credentials: new Credentials(config), except: OPEN_ROUTES })
  await app.register(rateLimit, { perMinute: config.RATE_LIMIT, redisUrl: config.REDIS_URL })

  // open to all; the docs come before the routes that they show
  await app.register(docs, { endpoints: listEndpoints(config.PROXY_EXTRA_PATHS), publicUrl: config.PUBLIC_URL })
  await app.register(health)
  await app.register(pages, { config })

  // behind API_KEYS
  await app.register(catalog, { config })
  await app.register(proxy, { config, trust })

  // behind ADMIN_API_KEY
  await app.register(admin)

  return app as unknown as FastifyInstance
}
