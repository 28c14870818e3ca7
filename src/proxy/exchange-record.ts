/** How an exchange ended. */
export type Outcome = 'complete' | 'refused' | 'client-left' | 'broken'

/** The phases of an exchange, in order. */
export const PHASES = ['receiving', 'queued', 'connecting', 'waiting', 'streaming'] as const
/** What an exchange is doing; in a finished one, where it ended. */
export type Phase = typeof PHASES[number]

/** What is known of one proxied request. It fills as the exchange goes on. Times are milliseconds. */
export interface ExchangeRecord {
  /** Route template: `/v1/chat/completions`. */
  readonly route: string
  /** The endpoint's path: `chat/completions`. */
  readonly operation: string
  readonly method: string
  /** The model asked for, or the default that was added. See {@link ModelScanner.model}. */
  requestModel: string | null | undefined
  outcome: Outcome | undefined
  phase: Phase
  /** Status that the client got. */
  status: number | undefined
  /** Code of the gateway's own error. */
  errorCode: string | undefined
  /** The answer is an event stream. */
  streamed: boolean
  queueWait: number | undefined
  connectTime: number | undefined
  /** From dispatch to the first byte of the answer's body. */
  firstByteTime: number | undefined
  duration: number
  bytesIn: number
  bytesOut: number
  /** Pieces of the answer's body. */
  pieces: number
  /** The service's own id of the request. */
  upstreamRequestId: string | undefined
}

/** The record of an exchange that begins. */
export function newRecord (route: string, operation: string, method: string): ExchangeRecord {
  return {
    route,
    operation,
    method,
    requestModel: undefined,
    outcome: undefined,
    phase: 'receiving',
    status: undefined,
    errorCode: undefined,
    streamed: false,
    queueWait: undefined,
    connectTime: undefined,
    firstByteTime: undefined,
    duration: 0,
    bytesIn: 0,
    bytesOut: 0,
    pieces: 0,
    upstreamRequestId: undefined
  }
}
