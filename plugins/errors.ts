import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, FastifyServerOptions } from 'fastify'
import fp from 'fastify-plugin'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { anthropicErrorBody, GatewayError, type ErrorCode } from '../src/errors.ts'
import { currentAnswer, isAnswered } from '../src/http/connection-turns.ts'
import { lingeringAnswer } from '../src/http/lingering-answer.ts'
import { answerInstead, answerOnSocket, parserError } from '../src/http/raw-answer.ts'
import { ambiguity, isPlainTarget } from '../src/http/well-formed.ts'
import { usesAnthropicErrors } from '../src/proxy/endpoints.ts'
import { logAnswered } from './request-log.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The code of the error that the gateway answers with. */
    errorCode: ErrorCode | undefined
  }
}

// Fastify's and its plugins' codes. The messages are the gateway's own, since theirs may name internals.
const CODES: Record<string, ErrorCode> = {
  FST_ERR_BAD_URL: 'invalid_url',
  FST_ERR_MAX_PARAM_LENGTH: 'invalid_url',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_JSON_BODY: 'invalid_json',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'invalid_json'
}

/** Any thrown error as a GatewayError. An unknown one is a 500 without details. */
export function toGatewayError (error: FastifyError | GatewayError): GatewayError {
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

/** Bytes of a refused body that Node may read to its end, so that the connection can be used again. */
const READ_TO_THE_END = 65536

/** Whether a request is still arriving and too long to be read to its end. */
function isUploading ({ complete, headers }: IncomingMessage): boolean {
  if (complete) return false
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length']) > READ_TO_THE_END
}

function hasBody ({ headers }: IncomingMessage): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
}

/** Whether an operator needs the error's cause: a failure, or a conflict that a database's refusal of a change caused. */
function concernsOperator ({ statusCode, code }: GatewayError): boolean {
  return statusCode >= 500 || code === 'conflict'
}

/** The ids of the requests that have begun, for answers that Fastify does not send. */
const requestIds = new WeakMap<ServerResponse, string>()

/** The error in the shape of the API to which the path belongs. */
function bodyOf (error: GatewayError, url: string): object {
  return usesAnthropicErrors(url) ? anthropicErrorBody(error) : error.toBody()
}

/** Sends any error in the one shape, with the headers that belong to it. */
function sendError (error: FastifyError | GatewayError, request: FastifyRequest, reply: FastifyReply): void {
  const known = toGatewayError(error)
  // The line of a proxied request names the cause, without the upstream's bytes that undici's errors hold.
  if (known.cause !== undefined && concernsOperator(known) && !reply.proxied) request.log.warn({ err: known.cause }, known.message)
  request.errorCode = known.code
  const body = bodyOf(known, request.url)
  reply.code(known.statusCode).headers(known.headers)
  if (!isUploading(request.raw)) {
    reply.send(body)
    return
  }
  const text = JSON.stringify(body)
  reply.headers({ connection: 'close', 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(text) })
    .send(lingeringAnswer(text, request.raw))
}

/** Refuses what reaches no route: counts it, writes its line and answers. */
function refuseOnSocket (app: FastifyInstance, error: GatewayError, socket: Socket, message: string): void {
  app.log.info({ client: socket.remoteAddress, outcome: 'refused', status: error.statusCode, error: error.code }, message)
  app.metrics.onRefused(error.code)
  answerOnSocket(error, socket)
}

/** Errors that come before routing, as options of the Fastify instance. */
export function errorOptions () {
  return {
    frameworkErrors: ((error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      // Before routing no hook runs, and no line is logged: both are made up for here.
      request.server.metrics.onRefused(toGatewayError(error).code)
      reply.headers({ 'x-request-id': request.id, 'x-content-type-options': 'nosniff' })
      sendError(error, request, reply)
      logAnswered(request, reply)
    }) as never,
    clientErrorHandler: function (this: FastifyInstance, error: Error & { code?: string }, socket: Socket) {
      const known = parserError(error)
      // Browsers open connections that they may never use: nothing was asked, so nothing is refused.
      // And a request that has its answer, and its line, gets no second one.
      if (known === undefined || socket.bytesRead === 0 || isAnswered(socket)) {
        socket.destroy()
        return
      }
      const begun = currentAnswer(socket)
      // A request that has begun has its own line, whether its client left in the middle of it or the rest is at fault.
      if (begun !== undefined && error.code === 'HPE_INVALID_EOF_STATE') answerOnSocket(known, socket)
      else if (begun !== undefined && !begun.req.complete) answerInstead(known, begun, socket, { id: requestIds.get(begun), body: bodyOf(known, begun.req.url!) })
      else refuseOnSocket(this, known, socket, 'malformed request')
    } as never,
    // The built-in answer is not in the error shape. plugins/drain.ts has its own.
    return503OnClosing: false
  } satisfies FastifyServerOptions
}

/**
 * One error shape for thrown errors, unknown routes and methods, and CONNECT, which
 * Node would answer itself. Errors before routing are in
 * {@link errorOptions}.
 */
export default fp(function errors (fastify: FastifyInstance, _options, done) {
  fastify.decorateRequest('errorCode', undefined)
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
  // Before a body is read: where there is no route, a broken or late body does not matter.
  fastify.addHook('preParsing', (request, _reply, _payload, next) => { next(request.is404 && hasBody(request.raw) ? unknownRoute(request) : null) })
  fastify.server.on('connect', (_request, socket: Socket) => refuseOnSocket(fastify, new GatewayError('method_not_allowed', { headers: { allow: 'GET, POST' } }), socket, 'refused'))
  // Requests after a malformed one on the same connection may be a part of it.
  const suspect = new WeakMap<Socket, GatewayError>()
  fastify.addHook('onRequest', ({ raw, id }, reply, next) => {
    requestIds.set(reply.raw, id)
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

/** The methods of each path, to distinguish a 405 from a 404. */
class RouteMethods {
  readonly #methods = new Map<string, { readonly pattern: RegExp, readonly names: Set<string> }>()

  add (url: string, method: string | string[]): void {
    const known = this.#methods.get(url) ?? { pattern: patternOf(url), names: new Set() }
    for (const name of [method].flat()) known.names.add(name)
    this.#methods.set(url, known)
  }

  /** The value of `Allow`; undefined for a path without routes. */
  of (url: string): string | undefined {
    const path = url.split('?', 1)[0]!.replace(/(?<=.)\/$/, '')
    const names = new Set<string>()
    for (const { pattern, names: own } of this.#methods.values()) {
      if (pattern.test(path)) for (const name of own) names.add(name)
    }
    return names.size === 0 ? undefined : [...names].join(', ')
  }
}

/** A Fastify pattern as a regular expression: `:id` is a segment, a last `*` is the rest, `::` is a colon. */
function patternOf (url: string): RegExp {
  if (url === '/*' || url === '*') return /^$/
  const segments = url.split('/').map(segment => {
    if (segment === '*') return '.*'
    return /^:[^:]/.test(segment) ? '[^/]+' : RegExp.escape(segment.replaceAll('::', ':'))
  })
  return new RegExp(`^${segments.join('/')}$`)
}
