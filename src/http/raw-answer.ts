import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { GatewayError, type ErrorCode } from '../errors.ts'

/** The bytes of an error answer that closes its connection, for where no ServerResponse is to be had. */
export function rawErrorAnswer (error: GatewayError): string {
  const body = JSON.stringify(error.toBody())
  const headers = Object.entries(error.headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return `HTTP/1.1 ${error.statusCode} ${STATUS_CODES[error.statusCode]}\r\n` +
    'content-type: application/json; charset=utf-8\r\n' +
    `content-length: ${Buffer.byteLength(body)}\r\n` +
    `date: ${new Date().toUTCString()}\r\n` +
    `${headers}connection: close\r\n\r\n${body}`
}

// Node's parser and time limits; anything else that it reports is a malformed request.
const CODES: Record<string, ErrorCode> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'body_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout'
}

type HttpSocket = Duplex & { _httpMessage?: { _headerSent: boolean } | null, destroySoon? (): void }

/**
 * Answers what Node's HTTP parser refused, then closes. Nothing is written where
 * an answer is already on its way (Node's own rule for its default handler):
 * it would land in the middle of that one's body.
 */
export function answerClientError (error: Error & { code?: string }, socket: HttpSocket): void {
  if (error.code === 'ECONNRESET' || !socket.writable || socket._httpMessage?._headerSent === true) {
    socket.destroy()
    return
  }
  socket.write(rawErrorAnswer(new GatewayError(CODES[error.code ?? ''] ?? 'bad_request', { cause: error })))
  socket.destroySoon?.()
}

/** Answers on a bare socket (`connect` event), then closes. */
export function answerOnSocket (error: GatewayError, socket: HttpSocket): void {
  socket.on('error', () => socket.destroy())
  // Pipelined behind an answer that is under way: it would land in that one's body.
  if (socket._httpMessage?._headerSent === true) socket.destroy()
  else socket.end(rawErrorAnswer(error))
}
