import type { ExchangeRecord as CoreRecord } from '../proxy/exchange-record.ts'
import type { RequestSpan } from './traces.ts'
import type { Usage } from './usage/usage.ts'
import { usageReader, type UsageReader } from './usage/usage-reader.ts'

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
  responseModel?: string | undefined
  outcome: ExchangeOutcome
  /** Where the request was when it ended. */
  phase: ExchangePhase
  /** The status sent to the client. */
  status?: number | undefined
  /** The code of the gateway's own error. */
  errorCode?: string | undefined
  /** The answer is a `text/event-stream`. */
  streamed: boolean
  queueWait?: number | undefined
  connectTime?: number | undefined
  /** From dispatch to the first byte of the answer's body. */
  timeToFirstByte?: number | undefined
  /** From the first byte of the answer's body to its last. */
  streamTime?: number | undefined
  /** From the request's arrival to its end. */
  duration: number
  /** Bytes of the request's body. */
  bytesIn: number
  /** Bytes of the answer's body. */
  bytesOut: number
  usage?: Usage | undefined
  /** Pieces in which the answer's body came. */
  chunks?: number | undefined
  /** The service's own id of the request. */
  upstreamRequestId?: string | undefined
}

/** Is told of each proxied request when it is over. Must not throw. */
export interface ExchangeObserver {
  onExchangeEnd (record: ExchangeRecord): void
}

/** What is seen of one proxied request beside what the proxy notes: its span, and what its answer says of itself. */
export class Observation {
  /** Undefined: traces are off. */
  readonly span: RequestSpan | undefined
  #reader: UsageReader | undefined
  #firstPieceAt = 0

  constructor (span: RequestSpan | undefined) {
    this.span = span
  }

  /** The answer's head has arrived. */
  onHead (contentType: string | undefined, contentEncoding: string | undefined): void {
    this.#reader = usageReader(contentType, contentEncoding)
  }

  /** A piece of the answer's body passes. Keeps no view of its memory. */
  onPiece (piece: Buffer): void {
    if (this.#firstPieceAt === 0) this.#firstPieceAt = performance.now()
    this.#reader?.read(piece)
  }

  /** The request is over: all that is known of it, in seconds. Ends the span. */
  end (core: CoreRecord): ExchangeRecord {
    const record: ExchangeRecord = {
      route: core.route,
      operation: core.operation,
      method: core.method,
      requestModel: core.requestModel,
      responseModel: this.#reader?.model,
      // Refused before it was carried.
      outcome: core.outcome ?? 'refused',
      phase: core.phase,
      status: core.status,
      errorCode: core.errorCode,
      streamed: core.streamed,
      queueWait: seconds(core.queueWait),
      connectTime: seconds(core.connectTime),
      timeToFirstByte: seconds(core.firstByteTime),
      streamTime: this.#firstPieceAt === 0 ? undefined : (performance.now() - this.#firstPieceAt) / 1000,
      duration: core.duration / 1000,
      bytesIn: core.bytesIn,
      bytesOut: core.bytesOut,
      usage: this.#reader?.usage,
      chunks: core.pieces,
      upstreamRequestId: core.upstreamRequestId
    }
    this.span?.end(record)
    return record
  }
}

function seconds (milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : milliseconds / 1000
}
