import { keyWasRefused } from './session-key.ts'

/** What went wrong, in words that a person can act on. */
export interface Failure {
  title: string
  text: string
  /** The service's own words, where ours are general. */
  said?: string
  /** Seconds to wait before the next try, where the answer says so. */
  wait?: number
}

const LATER = 'Try again in a moment. If it stays like this, tell the person who runs the gateway.'

/** By the gateway's error code. */
const BY_CODE: Record<string, Failure> = {
  upstream_unreachable: { title: 'The inference service cannot be reached', text: `It may be starting, or be down. ${LATER}` },
  upstream_failed: { title: 'The inference service broke off its answer', text: 'What arrived before is kept. Try again.' },
  upstream_invalid_response: { title: 'The inference service sent an answer that cannot be read', text: LATER },
  upstream_timeout: { title: 'The inference service did not answer in time', text: 'It may be busy, or the request may be too long for it. Try again, or ask for less.' },
  overloaded: { title: 'The gateway is busy', text: 'It has as many requests as it can take.' },
  draining: { title: 'The gateway is restarting', text: 'It takes new requests again in a moment.' },
  body_too_large: { title: 'The request is too large', text: 'Take a smaller file, or a shorter conversation.' }
}

/** By the status, where the code says nothing. */
const BY_STATUS: Record<number, Failure> = {
  401: { title: 'An API key is needed', text: 'The key is missing or wrong. Enter one above, and try again.' },
  403: { title: 'The request was refused', text: 'Your key does not allow this.' },
  404: { title: 'There is no such model or address', text: 'Choose another model.' },
  413: BY_CODE.body_too_large!,
  429: { title: 'Too many requests', text: 'The limit for this minute is reached.' },
  502: BY_CODE.upstream_unreachable!,
  503: { title: 'The service is busy', text: '' },
  504: BY_CODE.upstream_timeout!
}

interface ApiError {
  status?: number
  code?: string | null
  message?: string
  /** The body's `error`; set also where an error came within a stream. */
  error?: { message?: string }
  headers?: Headers
}

/**
 * A thrown error in words.
 * @param begun whether the answer had begun; a browser drops what it has not handed over when a connection breaks
 */
export function describeFailure (thrown: unknown, begun = false): Failure {
  const { status, code, error, headers } = thrown as ApiError
  if (status === 401) keyWasRefused()
  if (status === undefined && error === undefined) {
    if (!navigator.onLine) return { title: 'You are offline', text: 'Connect to the network, and try again.' }
    if (begun) return { title: 'The connection broke off', text: 'What arrived before is kept. Try again.' }
    return { title: 'The gateway cannot be reached', text: `It may be restarting. ${LATER}` }
  }
  const known = BY_CODE[code ?? ''] ?? BY_STATUS[status ?? 0]
  const said = error?.message ?? ''
  const failure = known ?? byKind(status)
  const wait = seconds(headers?.get?.('retry-after'))
  return {
    ...failure,
    ...(BY_CODE[code ?? ''] === undefined && said !== '' && { said }),
    ...(wait !== undefined && { wait })
  }
}

/** @param status undefined where the error came within a stream */
function byKind (status: number | undefined): Failure {
  if (status === undefined) return { title: 'The inference service reported an error', text: 'What arrived before is kept. Try again.' }
  if (status >= 500) return { title: `The inference service failed (${status})`, text: LATER }
  return { title: 'The request was refused', text: 'Change the request, and try again.' }
}

/** `Retry-After`: seconds, or a date (RFC 9110 section 10.2.3). */
function seconds (header: string | null | undefined): number | undefined {
  if (header === null || header === undefined) return undefined
  const value = /^\d+$/.test(header.trim()) ? Number(header) : (Date.parse(header) - Date.now()) / 1000
  return Number.isFinite(value) && value > 0 ? Math.ceil(value) : undefined
}
