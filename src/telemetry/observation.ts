import type { Usage } from './usage/usage.ts'

/** How a proxied request ended. */
export type ExchangeOutcome = 'complete' | 'refused' | 'client-left' | 'broken'

/** Where a proxied request was when it ended. */
export const PHASES = ['receiving', 'queued', 'connecting', 'waiting', 'streaming'] as const
/** One of {@link PHASES}. */
export type ExchangePhase = typeof PHASES[number]

/** One proxied request, filled in as it goes; handed to each observer when it is over. Times are seconds. */
export interface ExchangeRecord {
  /** The route's template, such as `/v1/chat/completions`. */
  route: string
  /** The endpoint's path, such as `chat/completions`. */
  operation: string
  method: string
  /** The model asked for, or the default where it was put in; null: not a string; undefined: none. */
  requestModel: string | null | undefined
  /** The model that the answer names. */
  responseModel?: string
  outcome: ExchangeOutcome
  /** Where the request was when it ended. */
  phase: ExchangePhase
  /** The status sent to the client. */
  status?: number
  /** The code of the gateway's own error. */
  errorCode?: string
  /** The answer is a `text/event-stream`. */
  streamed: boolean
  queueWait?: number
  connectTime?: number
  /** From dispatch to the first byte of the answer's body. */
  timeToFirstByte?: number
  /** From the first byte of the answer's body to its last. */
  streamTime?: number
  /** From the request's arrival to its end. */
  duration: number
  /** Bytes of the request's body. */
  bytesIn: number
  /** Bytes of the answer's body. */
  bytesOut: number
  usage?: Usage
  /** Pieces in which the answer's body came. */
  chunks?: number
  /** The service's own id of the request. */
  upstreamRequestId?: string
}

/** Is told of each proxied request when it is over. Must not throw. */
export interface ExchangeObserver {
  onExchangeEnd (record: ExchangeRecord): void
}
