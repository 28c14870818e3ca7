import Fastify, { type FastifyInstance } from 'fastify'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import drain from '../plugins/drain.ts'
import errors, { errorOptions } from '../plugins/errors.ts'
import health from '../plugins/health.ts'
import proxy from '../plugins/proxy.ts'
import requestIdHeader from '../plugins/request-id.ts'
import { OneLineLog } from '../plugins/request-log.ts'
import type { Config } from './config.ts'
import { requestId } from './http/request-id.ts'
import { compileTrust } from './http/trust.ts'

/**
 * The gateway, ready to listen. Plugins in order: what a request passes, first
 * to last.
 */
export async function buildApp (config: Config): Promise<FastifyInstance> {
  const trust = compileTrust(config.TRUST_PROXY)
  const app = Fastify({
    ...errorOptions,
    logger: { level: config.LOG_LEVEL },
    logController: new OneLineLog(),
    trustProxy: trust,
    genReqId: request => requestId(request.headers['x-request-id'], trust(request.socket.remoteAddress ?? '', 0)),
    routerOptions: { maxParamLength: 512 }
  }).withTypeProvider<TypeBoxTypeProvider>()

  // every request
  await app.register(errors)
  await app.register(requestIdHeader)
  await app.register(drain)

  // open to all
  await app.register(health)

  // behind API_KEYS
  await app.register(proxy, { config, trust })

  return app as unknown as FastifyInstance
}
