import { GatewayError, type ErrorCode } from '../errors.ts'

// undici's and Node's codes, by what they mean to the client. A code not listed
// is a connection that broke: upstream_failed.
const CODES: Record<string, ErrorCode> = {
  ECONNREFUSED: 'upstream_unreachable',
  ENOTFOUND: 'upstream_unreachable',
  EAI_AGAIN: 'upstream_unreachable',
  EHOSTUNREACH: 'upstream_unreachable',
  ENETUNREACH: 'upstream_unreachable',
  ETIMEDOUT: 'upstream_unreachable',
  EMFILE: 'upstream_unreachable',
  UND_ERR_CONNECT_TIMEOUT: 'upstream_unreachable',
  UND_ERR_HEADERS_OVERFLOW: 'upstream_invalid_response',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'upstream_failed'
}

/** The client's view of a failed upstream request; the original is its `cause`, for the log. */
export function upstreamError (cause: Error & { code?: string }, connected: boolean): GatewayError {
  if (!connected) return new GatewayError('upstream_unreachable', { cause })
  if (cause.name === 'HTTPParserError') return new GatewayError('upstream_invalid_response', { cause })
  return new GatewayError(CODES[cause.code ?? ''] ?? 'upstream_failed', { cause })
}

const TRANSIENT = new Set(['ECONNREFUSED', 'ECONNRESET', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_SOCKET'])

/** A failed connect that may succeed a moment later (a restart of the service); a bad certificate or an unknown name will not. */
export function isTransientConnectError (error: Error & { code?: string, errors?: unknown }): boolean {
  // Happy eyeballs fails with an AggregateError whose code is that of its parts.
  return TRANSIENT.has(error.code ?? '')
}
