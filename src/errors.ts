import { Type, type Static } from '@sinclair/typebox'

/** The one error shape, everywhere: what OpenAI and AI SDKs read (`error.message`). */
export const ErrorSchema = Type.Object({
  error: Type.Object({
    message: Type.String(),
    type: Type.String(),
    param: Type.Union([Type.String(), Type.Null()]),
    code: Type.Union([Type.String(), Type.Null()])
  })
}, {
  $id: 'Error',
  title: 'Error',
  description: 'Every error of the gateway has this shape.',
  examples: [{ error: { message: 'The model \'gpt-x\' does not exist.', type: 'invalid_request_error', param: 'id', code: 'model_not_found' } }]
})
/** The body of every error answer. */
export type ErrorBody = Static<typeof ErrorSchema>

const invalid = 'invalid_request_error'
const server = 'server_error'
const upstream = 'upstream_error'

/**
 * Every coded error: HTTP status, OpenAI error type, and the message used where
 * the thrower has nothing better to say. Messages are for strangers: never an
 * address, a stack, a key or an upstream header.
 */
export const ERRORS = {
  bad_request: [400, invalid, 'The request is malformed.'],
  invalid_url: [400, invalid, 'The URL is malformed.'],
  invalid_json: [400, invalid, 'The request body is not a JSON object.'],
  invalid_multipart: [400, invalid, 'The request body is not well-formed multipart/form-data.'],
  duplicate_model: [400, invalid, 'The request body names `model` more than once.'],
  invalid_value: [400, invalid, 'The request has an invalid value.'],
  invalid_encoding: [400, invalid, 'The request body does not match its Content-Encoding.'],
  invalid_api_key: [401, 'authentication_error', 'The API key is missing or wrong.'],
  origin_not_allowed: [403, invalid, 'Pages of this origin may not use the gateway.'],
  not_found: [404, invalid, 'There is no such route.'],
  model_not_found: [404, invalid, 'There is no such model.'],
  method_not_allowed: [405, invalid, 'This route does not take that method.'],
  request_timeout: [408, invalid, 'The request did not arrive in time.'],
  conflict: [409, invalid, 'The resource exists already.'],
  precondition_failed: [412, invalid, 'The resource has changed since it was read.'],
  body_too_large: [413, invalid, 'The request body is too large.'],
  unsupported_media_type: [415, invalid, 'The request body has a content type that this route does not take.'],
  expectation_failed: [417, invalid, 'Only `Expect: 100-continue` can be met.'],
  misdirected_request: [421, invalid, 'The gateway does not answer under this host name.'],
  rate_limit_exceeded: [429, 'rate_limit_error', 'Too many requests.'],
  headers_too_large: [431, invalid, 'The request headers are too large.'],
  internal_error: [500, server, 'The gateway failed to handle the request.'],
  upgrade_not_supported: [501, invalid, 'Protocol upgrades are not supported.'],
  upstream_unreachable: [502, upstream, 'The inference service cannot be reached.'],
  upstream_failed: [502, upstream, 'The inference service broke off its answer.'],
  upstream_invalid_response: [502, upstream, 'The inference service sent an invalid answer.'],
  overloaded: [503, server, 'The gateway is at its limit of concurrent requests.'],
  draining: [503, server, 'The gateway is shutting down.'],
  not_ready: [503, server, 'The gateway is not ready.'],
  upstream_timeout: [504, upstream, 'The inference service did not answer in time.']
} as const satisfies Record<string, readonly [status: number, type: string, message: string]>

/** A row of the table of errors: what `error.code` can say. */
export type ErrorCode = keyof typeof ERRORS

/** What one error says beyond its row of the table. */
export interface GatewayErrorOptions {
  /** What is wrong, for a stranger. Default: the table's message. */
  message?: string
  /** The field at fault: a name, or an RFC 6901 pointer into the body. */
  param?: string | null
  /** Response headers that belong to the error (`retry-after`, `allow`). */
  headers?: Record<string, string>
  /** The original error, for the log only. */
  cause?: unknown
}

/** An error with a code of the table above; knows its status and its body. */
export class GatewayError extends Error {
  readonly code: ErrorCode
  readonly statusCode: number
  readonly type: string
  readonly param: string | null
  readonly headers: Record<string, string>

  constructor (code: ErrorCode, options: GatewayErrorOptions = {}) {
    const [statusCode, type, message] = ERRORS[code]
    super(options.message ?? message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'GatewayError'
    this.code = code
    this.statusCode = statusCode
    this.type = type
    this.param = options.param ?? null
    this.headers = options.headers ?? {}
  }

  /** The answer's body, in the one error shape. */
  toBody (): ErrorBody {
    return { error: { message: this.message, type: this.type, param: this.param, code: this.code } }
  }
}
