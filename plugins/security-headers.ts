import helmet from '@fastify/helmet'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

/**
 * Security headers on every answer. The content policy is the docs page's own
 * affair (plugins/docs.ts): nothing else here is a page.
 */
export default fp(async function securityHeaders (fastify: FastifyInstance) {
  await fastify.register(helmet, {
    global: true,
    contentSecurityPolicy: false,
    // A frontend on another origin is who this API is for; CORS decides which.
    crossOriginResourcePolicy: { policy: 'cross-origin' }
  })
}, { name: 'security-headers' })
