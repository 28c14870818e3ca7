import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { bodyDecoder } from '../src/body/decode.ts'
import type { Config } from '../src/config.ts'
import type { GatewayError } from '../src/errors.ts'
import type { Trust } from '../src/http/trust.ts'
import { writeError } from '../src/http/write-error.ts'
import { trustedAuthorities } from '../src/proxy/certificates.ts'
import { listEndpoints, type Endpoint } from '../src/proxy/endpoints.ts'
import type { Exchange, ExchangeListener, Outcome } from '../src/proxy/exchange.ts'
import { Forwarder } from '../src/proxy/forward.ts'
import { upstreamRequestHeaders, type Credentials } from '../src/proxy/headers.ts'
import { scannerFor, type DefaultModels } from '../src/proxy/scanners.ts'
import { modelPolicy } from '../src/proxy/policy.ts'
import { upstreamTarget } from '../src/proxy/target.ts'
import { logged, type RequestLog } from './request-log.ts'

declare module 'fastify' {
  interface FastifyInstance {
    forwarder: Forwarder
  }
}

/** What `app.ts` supplies. */
export interface ProxyOptions {
  config: Config
  trust: Trust
  requestLog: RequestLog
}

/** The gateway's own prefixes; SDKs use the second, since they cannot read a bare array of models. */
const PREFIXES = ['/v1', '/openai/v1']

/**
 * Forwards the listed endpoints to the inference service. @fastify/http-proxy
 * routes; the transfer is our own (src/proxy/exchange.ts), because `reply.from`
 * cannot cancel before the first byte, does not verify TLS, repeats GETs and
 * mixes up errors.
 *
 * It takes over before a body is looked at, in place of all that comes behind:
 * Fastify's way to a body parser, and http-proxy's `handler`, whose check of the
 * destination made from the path received is three parsed URLs and 8 of 80 µs. No
 * such destination is made here, since what goes upstream is the listed path.
 */
export default fp(async function proxy (fastify: FastifyInstance, { config, trust, requestLog }: ProxyOptions) {
  const { origin, basePath } = upstreamTarget(config.INFERENCE_SERVICE_URL)
  const defaults = defaultModels(config)
  const policed = config.MODEL_POLICY === 'catalog'
  const credentials: Credentials = {
    authorization: config.INFERENCE_API_KEY === undefined ? undefined : `Bearer ${config.INFERENCE_API_KEY}`,
    stripClientKeys: config.API_KEYS.length > 0
  }
  const forwarder = new Forwarder({
    admission: { maxConcurrent: config.MAX_CONCURRENT_REQUESTS, maxQueued: config.MAX_QUEUED_REQUESTS, queueTimeout: config.QUEUE_TIMEOUT * 1000 },
    connections: {
      origin,
      ...(config.UPSTREAM_CA_FILE === undefined ? {} : { ca: trustedAuthorities(config.UPSTREAM_CA_FILE) })
    },
    limits: {
      bodyLimit: config.BODY_LIMIT,
      connect: config.UPSTREAM_CONNECT_TIMEOUT * 1000,
      firstByte: config.UPSTREAM_FIRST_BYTE_TIMEOUT * 1000,
      idle: config.UPSTREAM_IDLE_TIMEOUT * 1000,
      clientStall: config.CLIENT_STALL_TIMEOUT * 1000
    },
    answerHeaders: fastify.securityHeaders
  })
  fastify.decorate('forwarder', forwarder)
  fastify.decorateReply('ownLog', false)
  fastify.addHook('onClose', async () => forwarder.destroy())

  function forward (endpoint: Endpoint, route: string, request: FastifyRequest, reply: FastifyReply): void {
    const raw = request.raw
    // The listed path, not the one received: whatever way that was written, no other can go upstream.
    const path = `${basePath}/${endpoint.path}`
    const query = raw.url!.indexOf('?')
    const address = raw.socket.remoteAddress ?? 'unknown'
    const peer = { address, protocol: request.protocol, host: raw.headers.host ?? '', trusted: trust(address, 0) }
    const scanner = scannerFor(endpoint, raw.headers, defaults, policed)
    // Only a body that has to be read is decoded; any other passes as it is.
    const decoder = scanner === undefined ? undefined : bodyDecoder(raw.headers['content-encoding'])
    const exchange = {
      request: raw,
      response: reply.raw,
      body: decoder === undefined ? raw : raw.pipe(decoder),
      scanner,
      refuseModel: policed && endpoint.modelType !== undefined ? modelPolicy(endpoint.modelType, fastify.catalog) : undefined,
      path: query === -1 ? path : path + raw.url!.slice(query),
      headers: upstreamRequestHeaders(raw.rawHeaders, peer, credentials, request.id, decoder !== undefined)
    }
    // From here on the answer is the exchange's own affair, its errors included.
    reply.ownLog = true
    forwarder.forward(exchange, new ProxiedReply(route, reply.hijack(), fastify.securityHeaders, requestLog))
  }

  const endpoints = listEndpoints(config.PROXY_EXTRA_PATHS)
  const byRoute = new Map(PREFIXES.flatMap(prefix => endpoints.map(endpoint => [`${prefix}/${endpoint.path}`, endpoint])))
  fastify.register(async function endpointRoutes (scope) {
    scope.addHook('preParsing', (request, reply) => {
      const route = request.routeOptions.url!
      forward(byRoute.get(route)!, route, request, reply)
    })
    for (const prefix of PREFIXES) {
      for (const method of ['GET', 'POST'] as const) {
        const routes = endpoints.filter(endpoint => endpoint.methods.includes(method)).map(endpoint => `/${endpoint.path}`)
        if (routes.length > 0) await scope.register(httpProxy, { upstream: origin, prefix, routes, httpMethods: [method] })
      }
    }
  })
}, { name: 'proxy', dependencies: ['errors', 'security-headers', 'catalog'] })

function defaultModels (config: Config): DefaultModels {
  return {
    chat: config.DEFAULT_CHAT_MODEL,
    image: config.DEFAULT_IMAGE_MODEL,
    ...(config.DEFAULT_SPEECH_MODEL === undefined ? {} : { speech: config.DEFAULT_SPEECH_MODEL })
  }
}

/** An error without its properties: undici's hold bytes that the upstream sent. */
function described (cause: unknown): object | undefined {
  return cause instanceof Error ? { name: cause.name, code: (cause as NodeJS.ErrnoException).code, message: cause.message } : undefined
}

/** The Fastify side of an exchange: its own headers, its refusals, its log line. */
class ProxiedReply implements ExchangeListener {
  readonly #route: string
  readonly #reply: FastifyReply
  readonly #securityHeaders: Readonly<Record<string, string>>
  readonly #requestLog: RequestLog

  constructor (route: string, reply: FastifyReply, securityHeaders: Readonly<Record<string, string>>, requestLog: RequestLog) {
    this.#route = route
    this.#reply = reply
    this.#securityHeaders = securityHeaders
    this.#requestLog = requestLog
  }

  onAnswer (): Record<string, unknown> {
    return this.#reply.getHeaders()
  }

  onRefused (_exchange: Exchange, error: GatewayError): void {
    writeError(this.#reply.raw, error, { ...this.#securityHeaders, ...this.onAnswer() })
  }

  onEnd (exchange: Exchange, outcome: Outcome, error?: GatewayError): void {
    const { request, elapsedTime } = this.#reply as FastifyReply & { request: FastifyRequest }
    this.#requestLog.add(error === undefined ? 'info' : 'warn', {
      reqId: request.id,
      outcome,
      method: request.method,
      path: this.#route,
      status: outcome === 'refused' ? error?.statusCode : exchange.upstreamStatus,
      model: exchange.model,
      bytesOut: exchange.bytesOut,
      firstByteMs: exchange.firstByteTime === undefined ? undefined : logged(exchange.firstByteTime),
      durationMs: logged(elapsedTime),
      error: error?.code,
      cause: described(error?.cause),
      msg: error === undefined ? 'proxied' : error.message
    })
  }
}
