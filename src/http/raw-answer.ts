import { randomUUID } from 'node:crypto'
import { STATUS_CODES, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { GatewayError, type ErrorCode } from '../errors.ts'
import { currentAnswer } from './connection-turns.ts'

/** The headers of every API answer, for answers that Fastify does not send. */
export function commonHeaders (requestId: string = randomUUID()): Record<string, string> {
  return { 'x-content-type-options': 'nosniff', 'x-request-id': requestId }
}

/** What an error answer tells of the request, where one has begun. */
export interface BegunRequest {
  readonly id: string | undefined
  /** The answer's body, in the shape of the request's API. */
  readonly body: object
}

/** The bytes of an error answer that closes its connection, for a connection without a ServerResponse. */
export function rawErrorAnswer (error: GatewayError, { id, body: shape }: BegunRequest = { id: undefined, body: error.toBody() }): string {
  const body = JSON.stringify(shape)
  const headers: Record<string, string | number> = {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    date: new Date().toUTCString(),
    ...commonHeaders(id),
    ...error.headers,
    connection: 'close'
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return `HTTP/1.1 ${error.statusCode} ${STATUS_CODES[error.statusCode]}\r\n${lines}\r\n${body}`
}

// Errors of Node's parser and time limits. Any other is a malformed request.
const CODES: Record<string, ErrorCode> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'body_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout'
}

/** An error of Node's HTTP parser in the one error shape. Undefined: the connection broke, so there is no client to answer. */
export function parserError (error: Error & { code?: string }): GatewayError | undefined {
  if (error.code === 'ECONNRESET') return undefined
  return new GatewayError(CODES[error.code ?? ''] ?? 'bad_request', { cause: error })
}

/**
 * Answers on a connection without a ServerResponse, then closes it. If an answer
 * has begun, nothing is written, because it would become a part of that answer's
 * body.
 */
export function answerOnSocket (error: GatewayError, socket: Duplex, request?: BegunRequest): void {
  socket.on('error', () => socket.destroy())
  if (!socket.writable || currentAnswer(socket)?.headersSent === true) {
    socket.destroy()
    return
  }
  socket.write(rawErrorAnswer(error, request))
  ;(socket as Socket).destroySoon()
}

const replaced = new WeakMap<ServerResponse, GatewayError>()

/**
 * Answers a request that has begun, and whose rest is malformed or too slow. On its
 * socket, because its handler waits for the rest.
 */
export function answerInstead (error: GatewayError, response: ServerResponse, socket: Duplex, request: BegunRequest): void {
  if (!response.headersSent) replaced.set(response, error)
  answerOnSocket(error, socket, request)
}

/** The error that a client has got in place of that answer. */
export function answeredInstead (response: ServerResponse): GatewayError | undefined {
  return replaced.get(response)
}
