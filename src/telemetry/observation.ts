import type { ExchangeRecord as CoreRecord } from '../proxy/exchange-record.ts'
import type { RequestSpan } from './traces.ts'
import type { Usage } from './usage/usage.ts'
import { usageReader, type UsageReader } from './usage/usage-reader.ts'

/** How a proxied request ended. */
export type ExchangeOutcome = 'complete' | 'refused' | 'client-left' | 'broken'

/** The phases of a proxied request. */
export const PHASES = ['receiving', 'queued', 'connecting', 'waiting', 'streaming'] as const
/** One of {@link PHASES}. */
export type ExchangePhase = typeof PHASES[number]

/** The facts about one proxied request, complete when it is over. Times are seconds. */
export interface ExchangeRecord {
  /** The route's template, such as `/v1/chat/completions`. */
  route: string
  /** The endpoint's path, such as `chat/completions`. */
  operation: string
  method: string
  /** The requested model, or the default that was added; null: not a string; undefined: none. */
  requestModel: string | null | undefined
  /** The model that the answer names. */
  responseModel?: string | undefined
  outcome: ExchangeOutcome
  /** The phase in which the request ended. */
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
  /** Pieces of the answer's body. */
  chunks?: number | undefined
  /** The service's own id of the request. */
  upstreamRequestId?: string | undefined
}

/** Called with each proxied request when it is over. Must not throw. */
export interface ExchangeObserver {
  onExchangeEnd (record: ExchangeRecord): void
}

/** The telemetry of one proxied request: its span, and the usage and model that its answer states. */
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

  /** The request is over: returns its facts, in seconds, and ends the span. */
  end (core: CoreRecord): ExchangeRecord {
    const record: ExchangeRecord = {
      route: core.route,
      operation: core.operation,
      method: core.method,
      requestModel: core.requestModel,
      responseModel: this.#reader?.model,
      // Refused before the exchange began.
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
