import type { ExchangeRecord, Outcome } from '../proxy/exchange-record.ts'
import type { RequestSpan } from './traces.ts'
import type { Usage } from './usage/usage.ts'
import { usageReader, type UsageReader } from './usage/usage-reader.ts'

/** A proxied request that is over, with what its answer states. Times are milliseconds. */
export interface ObservedExchange extends Readonly<ExchangeRecord> {
  readonly outcome: Outcome
  /** The model that the answer names. */
  readonly responseModel: string | undefined
  readonly usage: Usage | undefined
  /** From the first byte of the answer's body to its last. */
  readonly streamTime: number | undefined
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

  /** The request is over: ends its spans, and returns the record with what the answer states. */
  end (record: ExchangeRecord): ObservedExchange {
    const observed: ObservedExchange = {
      ...record,
      // Refused before the exchange began.
      outcome: record.outcome ?? 'refused',
      responseModel: this.#reader?.model,
      usage: this.#reader?.usage,
      streamTime: this.#firstPieceAt === 0 ? undefined : performance.now() - this.#firstPieceAt
    }
    this.span?.endExchange(observed)
    return observed
  }
}
