import { errors } from 'undici'
import { GatewayError, type ErrorCode } from '../errors.ts'

// Codes of failed connects. A code not listed is a connection that broke: upstream_failed.
const CODES: Record<string, ErrorCode> = {
  ECONNREFUSED: 'upstream_unreachable',
  ENOTFOUND: 'upstream_unreachable',
  EAI_AGAIN: 'upstream_unreachable',
  EHOSTUNREACH: 'upstream_unreachable',
  ENETUNREACH: 'upstream_unreachable',
  ETIMEDOUT: 'upstream_unreachable',
  EMFILE: 'upstream_unreachable',
  FORWARD_PROXY_REFUSED: 'upstream_unreachable'
}

/** The client's view of a failed upstream request; the original is its `cause`, for the log. */
export function upstreamError (cause: Error & { code?: string }): GatewayError {
  return new GatewayError(CODES[cause.code ?? ''] ?? (isInvalid(cause) ? 'upstream_invalid_response' : 'upstream_failed'), { cause })
}

const INVALID = [errors.HTTPParserError, errors.HeadersOverflowError, errors.ResponseContentLengthMismatchError]

/** Whether what came is not sound HTTP. undici asserts some of it: a status below 100, a 101 that nobody asked for. */
function isInvalid (error: Error & { code?: string }): boolean {
  // The connection ended in the middle of a head.
  if (error.code === 'HPE_INVALID_EOF_STATE') return false
  return error.code === 'ERR_ASSERTION' || INVALID.some(type => error instanceof type)
}

const TRANSIENT = new Set(['ECONNREFUSED', 'ECONNRESET', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])

/** A failed connect that may succeed a moment later (a restart of the service); a bad certificate or an unknown name will not. */
export function isTransientConnectError (error: Error & { code?: string, errors?: unknown }): boolean {
  // Happy eyeballs fails with an AggregateError whose code is that of its parts.
  return TRANSIENT.has(error.code ?? '')
}
