import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { spoolFolder } from '../src/body/spool.ts'
import type { Config } from '../src/config.ts'
import { anthropicErrorBody, GatewayError } from '../src/errors.ts'
import { answeredInstead } from '../src/http/raw-answer.ts'
import type { Trust } from '../src/http/trust.ts'
import { trustedAuthorities } from '../src/proxy/certificates.ts'
import { ClientLeftError } from '../src/proxy/client-left.ts'
import { listEndpoints, usesAnthropicErrors, type Endpoint, type Method } from '../src/proxy/endpoints.ts'
import { newRecord, type ExchangeRecord } from '../src/proxy/exchange-record.ts'
import { Forwarder } from '../src/proxy/forwarder.ts'
import { usesForwardProxy } from '../src/proxy/forward-proxy.ts'
import { clientResponseHeaders, headerValue, upstreamRequestHeaders } from '../src/proxy/headers.ts'
import { modelPolicy } from '../src/proxy/policy.ts'
import { scannerFor, type DefaultModels } from '../src/proxy/scanners.ts'
import { publicLocation, upstreamPath, upstreamTarget } from '../src/proxy/target.ts'
import { Observation } from '../src/telemetry/observation.ts'
import { withTraceHeaders } from '../src/telemetry/traces.ts'
import { logExchange } from './request-log.ts'

declare module 'fastify' {
  interface FastifyInstance {
    forwarder: Forwarder
  }
}

/** What `app.ts` supplies. */
export interface ProxyOptions {
  config: Config
  trust: Trust
}

/** The gateway's own prefixes. SDKs use the second, because they cannot read a bare array of models. */
const PREFIXES = ['/v1', '/openai/v1']

/** Where services put their own id of a request. */
const UPSTREAM_IDS = ['x-request-id', 'request-id']

/**
 * Forwards the listed endpoints to the inference service. @fastify/http-proxy
 * makes the routes and checks their targets. Its `handler` option leaves the
 * transfer to src/proxy: `reply.from` cannot cancel before the first byte, does
 * not verify TLS, repeats GETs and mixes up errors.
 */
export default fp(async function proxy (fastify: FastifyInstance, { config, trust }: ProxyOptions) {
  const target = upstreamTarget(config.INFERENCE_SERVICE_URL)
  const defaults = defaultModels(config)
  const publicPath = config.PUBLIC_URL === undefined ? '' : new URL(config.PUBLIC_URL).pathname.replace(/\/$/, '')
  const strict = config.MODEL_POLICY === 'catalog'
  const stripClientKeys = config.API_KEYS.length > 0
  const forwarder = new Forwarder(forwarderSettings(config, target.origin))
  fastify.decorate('forwarder', forwarder)
  fastify.decorateReply('proxied', false)
  fastify.addHook('onClose', async () => forwarder.destroy())

  async function handle (endpoint: Endpoint, prefix: string, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const record = newRecord(request.routeOptions.url!, endpoint.path, request.method)
    const observation = new Observation(request.span)
    reply.proxied = true
    let failure: Error | undefined
    try {
      await forward(endpoint, prefix, request, reply, record, observation)
    } catch (error) {
      // The client may have its answer already: see answerInstead.
      const instead = error instanceof ClientLeftError ? answeredInstead(reply.raw) : undefined
      if (instead !== undefined) Object.assign(record, { outcome: 'refused', status: instead.statusCode })
      failure = instead ?? error as Error
      if (failure instanceof GatewayError) record.errorCode = failure.code
      // The client has left, or the answer had begun and was broken off.
      if (error instanceof ClientLeftError) reply.hijack()
      else if (record.phase !== 'streaming') {
        record.status = (error as GatewayError).statusCode ?? 500
        throw error
      }
    } finally {
      const ended = observation.end(record)
      fastify.metrics.onExchangeEnd(ended)
      logExchange(request, ended, failure)
    }
  }

  async function forward (endpoint: Endpoint, prefix: string, request: FastifyRequest, reply: FastifyReply, record: ExchangeRecord, observation: Observation): Promise<void> {
    const { raw } = request
    const address = raw.socket.remoteAddress ?? 'unknown'
    const peer = { address, protocol: request.protocol, host: raw.headers.host ?? '', trusted: trust(address, 0) }
    const anthropic = usesAnthropicErrors(request.url)
    await forwarder.forward({
      request: raw,
      response: reply.raw,
      scanner: scannerFor(endpoint, raw.headers, defaults, strict),
      refuseModel: strict ? modelPolicy(endpoint.modelType, fastify.catalog) : undefined,
      path: upstreamPath(endpoint.path, raw.url!, prefix, target),
      headers: decoded => {
        const headers = upstreamRequestHeaders(raw.rawHeaders, {
          peer,
          credentials: { key: fastify.credentials.inferenceKey, stripClientKeys },
          requestId: request.id,
          decoded,
          apiKeyHeader: anthropic
        })
        return observation.span === undefined ? headers : withTraceHeaders(headers, observation.span.startUpstream())
      },
      sink: {
        onHead: (status, headers) => {
          observation.onHead(headerValue(headers, 'content-type'), headerValue(headers, 'content-encoding'))
          record.upstreamRequestId = UPSTREAM_IDS.map(name => headerValue(headers, name)).find(id => id !== undefined)
          const own = reply.getHeaders()
          if (!raw.complete) own.connection = 'close'
          return clientResponseHeaders(headers, { status, own, rewriteLocation: location => publicLocation(location, target, publicPath + prefix) })
        },
        // A broken stream can be ended honestly only where Fastify does not send the answer.
        onBegun: () => { reply.hijack() },
        onPiece: piece => observation.onPiece(piece),
        errorEvent: error => anthropic
          ? `event: error\ndata: ${JSON.stringify(anthropicErrorBody(error))}\n\n`
          : `data: ${JSON.stringify(error.toBody())}\n\n`
      }
    }, record)
  }

  await fastify.register(async function routes (scope) {
    // Bodies are received by src/body: http-proxy passes the streams on, but for the types that Fastify parses itself.
    scope.removeAllContentTypeParsers()
    const endpoints = listEndpoints(config.PROXY_EXTRA_PATHS)
    for (const prefix of PREFIXES) {
      for (const [methods, group] of groupByMethods(endpoints)) {
        const byRoute = new Map(group.map(endpoint => [`${prefix}/${endpoint.path}`, endpoint]))
        await scope.register(httpProxy, {
          upstream: target.origin,
          prefix,
          routes: group.map(({ path }) => `/${path}`),
          httpMethods: methods,
          handler: (request, reply) => handle(byRoute.get(request.routeOptions.url!)!, prefix, request, reply)
        })
      }
    }
  })
}, { name: 'proxy', dependencies: ['errors', 'keys', 'catalog', 'metrics', 'traces'] })

/** One registration of the plugin for each set of methods. */
function groupByMethods (endpoints: readonly Endpoint[]): [Method[], Endpoint[]][] {
  const groups = Map.groupBy(endpoints.filter(({ methods }) => methods.length > 0), ({ methods }) => methods.join())
  return [...groups.values()].map(group => [[...group[0]!.methods], group])
}

function forwarderSettings (config: Config, origin: string) {
  return {
    admission: { maxConcurrent: config.MAX_CONCURRENT_REQUESTS, maxQueued: config.MAX_QUEUED_REQUESTS, queueTimeout: config.QUEUE_TIMEOUT * 1000 },
    connections: {
      origin,
      connectTimeout: config.UPSTREAM_CONNECT_TIMEOUT * 1000,
      maxAge: config.UPSTREAM_CONNECTION_AGE * 1000,
      throughProxy: usesForwardProxy(process.env),
      ...(config.UPSTREAM_CA_FILE === undefined ? {} : { ca: trustedAuthorities(config.UPSTREAM_CA_FILE) })
    },
    spool: { folder: config.SPOOL_DIR && spoolFolder(config.SPOOL_DIR), limit: config.SPOOL_LIMIT },
    limits: {
      bodyLimit: config.BODY_LIMIT,
      connect: config.UPSTREAM_CONNECT_TIMEOUT * 1000,
      firstByte: config.UPSTREAM_FIRST_BYTE_TIMEOUT * 1000,
      idle: config.UPSTREAM_IDLE_TIMEOUT * 1000,
      clientStall: config.CLIENT_STALL_TIMEOUT * 1000
    }
  }
}

function defaultModels (config: Config): DefaultModels {
  return {
    chat: config.DEFAULT_CHAT_MODEL,
    image: config.DEFAULT_IMAGE_MODEL,
    ...(config.DEFAULT_SPEECH_MODEL === undefined ? {} : { speech: config.DEFAULT_SPEECH_MODEL })
  }
}
