import { GatewayError, type ErrorCode } from '../errors.ts'

// Codes of failed connects and of what came back, by what they mean to the client.
// A code not listed is a connection that broke: upstream_failed.
const CODES: Record<string, ErrorCode> = {
  ECONNREFUSED: 'upstream_unreachable',
  ENOTFOUND: 'upstream_unreachable',
  EAI_AGAIN: 'upstream_unreachable',
  EHOSTUNREACH: 'upstream_unreachable',
  ENETUNREACH: 'upstream_unreachable',
  ETIMEDOUT: 'upstream_unreachable',
  EMFILE: 'upstream_unreachable'
}

/** The client's view of a failed upstream request; the original is its `cause`, for the log. */
export function upstreamError (cause: Error & { code?: string }): GatewayError {
  return new GatewayError(CODES[cause.code ?? ''] ?? 'upstream_failed', { cause })
}

const TRANSIENT = new Set(['ECONNREFUSED', 'ECONNRESET', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'])

/** A failed connect that may succeed a moment later (a restart of the service); a bad certificate or an unknown name will not. */
export function isTransientConnectError (error: Error & { code?: string, errors?: unknown }): boolean {
  // Happy eyeballs fails with an AggregateError whose code is that of its parts.
  return TRANSIENT.has(error.code ?? '')
}
