import { AnswerScanner, type AnswerFacts } from './answer-scanner.ts'
import { EventStreamReader } from './event-stream-reader.ts'
import type { Usage } from './usage.ts'

/**
 * Reads usage and model from an answer as it passes. It changes no byte, keeps a
 * bounded number of bytes, and never throws.
 */
export interface UsageReader {
  /** Called with each piece of the body, in order. The memory may be reused after the call; anything kept is copied. */
  read (bytes: Buffer): void
  /** The tokens that the answer has stated so far. */
  readonly usage: Usage | undefined
  /** The model that the answer names. */
  readonly model: string | undefined
}

/**
 * The reader for an answer, by its headers; undefined for an answer without usage
 * (images, speech) or a compressed one, which is not decoded for this.
 */
export function usageReader (contentType: string | undefined, contentEncoding: string | undefined): UsageReader | undefined {
  if (contentType === undefined || (contentEncoding !== undefined && contentEncoding !== '' && contentEncoding.toLowerCase() !== 'identity')) return undefined
  const type = contentType.split(';', 1)[0]!.trim().toLowerCase()
  if (type === 'text/event-stream') return new EventStreamReader()
  return type === 'application/json' || type.endsWith('+json') ? new JsonReader() : undefined
}

/** Reads an answer that is one JSON object. */
class JsonReader implements UsageReader {
  readonly #facts: AnswerFacts = { usage: undefined, timings: undefined, model: undefined }
  readonly #scanner = new AnswerScanner(this.#facts)

  get usage (): Usage | undefined { return this.#facts.usage ?? this.#facts.timings }
  get model (): string | undefined { return this.#facts.model }

  read (bytes: Buffer): void {
    this.#scanner.read(bytes, 0, bytes.length)
  }
}
