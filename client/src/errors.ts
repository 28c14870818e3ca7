/** What a {@link GatewayError} says beyond its message. */
export interface GatewayErrorDetails {
  code: string
  status: number
  param: string | null
  cause?: unknown
}

/**
 * A request that failed. The message is for people, the code for programs.
 * A request that was aborted rejects with the signal's reason instead, as
 * `fetch` does.
 */
export class GatewayError extends Error {
  /**
   * The gateway's own code, such as `model_not_found`, `invalid_api_key` or
   * `rate_limit_exceeded`. Two are the client's: `network_error` where no answer
   * came (the gateway is down, the browser is offline, or CORS forbids the
   * answer), `invalid_response` where the answer is not the gateway's.
   */
  readonly code: string
  /** The HTTP status; 0 where no answer came. */
  readonly status: number
  /** The field at fault, where there is one. */
  readonly param: string | null

  constructor (message: string, { code, status, param, cause }: GatewayErrorDetails) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'GatewayError'
    this.code = code
    this.status = status
    this.param = param
  }
}

/**
 * The error in an answer of the gateway, whose body is
 * `{"error":{"message","type","param","code"}}`.
 * @param body the parsed body; undefined where it is not JSON, as from another proxy on the way
 */
export function errorOf (status: number, body: unknown): GatewayError {
  const error = isObject(body) && isObject(body.error) ? body.error : {}
  const { message, code, param } = error
  if (typeof message !== 'string') {
    return new GatewayError(`The answer with status ${status} is not the gateway's.`, { code: 'invalid_response', status, param: null })
  }
  return new GatewayError(message, {
    code: typeof code === 'string' ? code : 'invalid_response',
    status,
    param: typeof param === 'string' ? param : null
  })
}

function isObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
