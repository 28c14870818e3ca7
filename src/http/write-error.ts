import { STATUS_CODES, type OutgoingHttpHeaders, type ServerResponse } from 'node:http'
import type { GatewayError } from '../errors.ts'
import { lingeringClose } from './lingering-close.ts'

/**
 * Answers with an error where Fastify does not. While its request is still
 * arriving, the connection is closed, after a bounded time.
 */
export function writeError (response: ServerResponse, error: GatewayError, headers: Record<string, unknown> = {}): void {
  const { req: request } = response
  const { statusCode } = error
  const body = JSON.stringify(error.toBody())
  const all: Record<string, unknown> = { ...headers, ...error.headers, 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(body) }
  if (!request.complete) all.connection = 'close'
  // The phrase is named because Node would keep one of the upstream's that it has just refused.
  response.writeHead(statusCode, STATUS_CODES[statusCode], all as OutgoingHttpHeaders)
  if (request.complete) response.end(body)
  else {
    response.write(body)
    lingeringClose(request, response)
  }
}
