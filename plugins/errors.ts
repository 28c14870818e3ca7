import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, FastifyServerOptions } from 'fastify'
import fp from 'fastify-plugin'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { GatewayError, type ErrorCode } from '../src/errors.ts'
import { answerClientError, answerOnSocket } from '../src/http/raw-answer.ts'
import { ambiguity, isPlainTarget } from '../src/http/well-formed.ts'
import { writeError } from '../src/http/write-error.ts'
import type { RequestLog } from './request-log.ts'

// Fastify's and its plugins' codes; the messages are ours, theirs may name internals.
const CODES: Record<string, ErrorCode> = {
  FST_ERR_BAD_URL: 'invalid_url',
  FST_ERR_MAX_PARAM_LENGTH: 'invalid_url',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'invalid_json'
}

/** Any thrown thing as an error of the one shape; what is not known is a 500 without detail. */
function toGatewayError (error: FastifyError | GatewayError): GatewayError {
  if (error instanceof GatewayError) return error
  const [first] = error.validation ?? []
  if (first !== undefined) {
    const param = error.validationContext === 'querystring' ? first.instancePath.slice(1) : first.instancePath
    return new GatewayError('invalid_value', { message: error.message, param, cause: error })
  }
  const code = CODES[error.code]
  if (code !== undefined) return new GatewayError(code, { cause: error })
  return new GatewayError(error.statusCode === 400 ? 'bad_request' : 'internal_error', { cause: error })
}

/** More than this of a refused body is not read to its end, bytes. */
const READ_TO_THE_END = 65536

/**
 * Left alone, Node would read and drop the whole body of a request that is refused, to use its connection again.
 * A chunked body has no say here: its framing may be what is refused.
 */
function isUploading ({ complete, headers }: IncomingMessage): boolean {
  return !complete && Number(headers['content-length']) > READ_TO_THE_END
}

/** Sends any error in the one shape, with the headers that belong to it. */
function sendError (error: FastifyError | GatewayError, request: FastifyRequest, reply: FastifyReply): void {
  const known = toGatewayError(error)
  if (known.statusCode >= 500 && known.cause !== undefined) request.log.warn({ err: known.cause }, known.message)
  if (isUploading(request.raw)) writeError(reply.hijack().raw, known, { ...request.server.securityHeaders, ...reply.getHeaders() })
  else reply.code(known.statusCode).headers(known.headers).send(known.toBody())
}

/** The doors that stand before routing, as options of the Fastify instance. */
export function errorOptions (requestLog: RequestLog) {
  return {
    frameworkErrors: ((error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      // Before routing there are no hooks: what they would add is added here.
      reply.header('x-request-id', request.id)
      sendError(error, request, reply)
      requestLog.add('info', { reqId: request.id, method: request.method, status: reply.statusCode, msg: 'answered' })
    }) as never,
    clientErrorHandler: answerClientError as never,
    // The built-in answer while closing is not in the error shape; plugins/drain.ts has its own.
    return503OnClosing: false
  } satisfies FastifyServerOptions
}

/**
 * One error shape from every door: thrown errors, unknown routes and methods,
 * and what Node would answer by itself (CONNECT). The doors before
 * routing are {@link errorOptions}.
 */
export default fp(function errors (fastify: FastifyInstance, _options, done) {
  const methods = new RouteMethods()
  fastify.addHook('onRoute', ({ url, method }) => methods.add(url, method))
  fastify.setErrorHandler(sendError)
  const unknownRoute = (request: FastifyRequest) => {
    const allow = methods.of(request.url)
    return allow === undefined || allow.split(', ').includes(request.method)
      ? new GatewayError('not_found', { message: `There is no route ${request.method} ${request.url.split('?', 1)[0]}.` })
      : new GatewayError('method_not_allowed', { headers: { allow } })
  }
  fastify.setNotFoundHandler(request => { throw unknownRoute(request) })
  // Before the body is read: a broken or late one is no matter where there is no route for it.
  fastify.addHook('preParsing', (request, _reply, _payload, next) => { next(request.is404 ? unknownRoute(request) : null) })
  fastify.server.on('connect', (_request, socket) => answerOnSocket(new GatewayError('method_not_allowed', { headers: { allow: 'GET, POST' } }), socket))
  // What Node has read behind a malformed request, on the same connection, may be a part of it.
  const suspect = new WeakMap<Socket, GatewayError>()
  fastify.addHook('onRequest', ({ raw }, _reply, next) => {
    const fault = suspect.get(raw.socket) ?? ambiguity(raw)
    if (fault !== undefined) {
      suspect.set(raw.socket, fault)
      next(fault)
    } else if (!isPlainTarget(raw.url!)) next(new GatewayError('invalid_url'))
    else if (raw.headers.upgrade?.toLowerCase() === 'websocket') next(new GatewayError('upgrade_not_supported'))
    else next()
  })
  done()
}, { name: 'errors' })

/** Which methods a path has routes for: what tells a 405 from a 404. */
class RouteMethods {
  readonly #methods = new Map<string, Set<string>>()

  add (url: string, method: string | string[]): void {
    const known = this.#methods.get(url) ?? new Set()
    for (const name of [method].flat()) known.add(name)
    this.#methods.set(url, known)
  }

  /** The value of `Allow`, or undefined for a path without routes. */
  of (url: string): string | undefined {
    const path = url.split('?', 1)[0]!
    const exact = this.#methods.get(path)
    if (exact !== undefined) return [...exact].join(', ')
    for (const [pattern, methods] of this.#methods) {
      if (pattern.endsWith('/*') && pattern !== '/*' && path.startsWith(pattern.slice(0, -1))) return [...methods].join(', ')
    }
    return undefined
  }
}
