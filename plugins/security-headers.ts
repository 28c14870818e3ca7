import helmet from '@fastify/helmet'
import Fastify, { type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { IncomingMessage, ServerResponse, type OutgoingHttpHeaders } from 'node:http'
import { Socket } from 'node:net'

declare module 'fastify' {
  interface FastifyInstance {
    /** The security headers, for answers that Fastify does not send. */
    securityHeaders: Readonly<Record<string, string>>
  }
}

/**
 * Security headers on every answer. The content policy is the docs page's own
 * affair (plugins/docs.ts): nothing else here is a page.
 */
export default fp(async function securityHeaders (fastify: FastifyInstance) {
  const headers = await helmetHeaders()
  fastify.decorate('securityHeaders', headers)
  fastify.addHook('onSend', (_request, reply, _payload, next) => {
    reply.headers(headers)
    next()
  })
}, { name: 'security-headers' })

/**
 * What helmet sets, asked for once: it is the same for every request, and making
 * it anew for each took 15 of the 110 µs of a proxied one.
 */
async function helmetHeaders (): Promise<Record<string, string>> {
  const probe = Fastify()
  await probe.register(helmet, {
    contentSecurityPolicy: false,
    // A frontend on another origin is who this API is for; CORS decides which.
    crossOriginResourcePolicy: { policy: 'cross-origin' }
  })
  const { promise, resolve } = Promise.withResolvers<OutgoingHttpHeaders>()
  probe.get('/', (_request, reply) => { resolve(reply.hijack().raw.getHeaders()) })
  await probe.ready()
  const request = Object.assign(new IncomingMessage(new Socket()), { method: 'GET', url: '/' })
  probe.routing(request, new ServerResponse(request))
  return await promise as Record<string, string>
}
