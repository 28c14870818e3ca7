import helmet, { type FastifyHelmetOptions } from '@fastify/helmet'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

/** Browsers take these from a safe origin only. Chromium complains of the first elsewhere. */
const ONLY_WHERE_SAFE = { crossOriginOpenerPolicy: false, originAgentCluster: false, strictTransportSecurity: false }

/**
 * @fastify/helmet's headers on every answer of a scope, whose options are
 * helmet's. On plain http from another machine those are left out that a browser
 * would ignore.
 */
export default fp<FastifyHelmetOptions>(async function pageHeaders (scope, options) {
  await scope.register(helmet, { ...options, global: false })
  scope.addHook('onRequest', (request, reply, next) => {
    reply.helmet(isSafe(request) ? {} : ONLY_WHERE_SAFE)
    next()
  })
}, { name: 'page-headers', fastify: '5.x' })

/**
 * Whether the browser came by https, or from the machine itself. Behind a proxy
 * that ends TLS only the browser knows for sure, and tells: it sends
 * `Sec-Fetch-*` nowhere else (https://www.w3.org/TR/fetch-metadata/#sec-fetch-dest-header).
 */
function isSafe ({ protocol, headers }: FastifyRequest): boolean {
  return protocol === 'https' || headers['sec-fetch-dest'] !== undefined
}
