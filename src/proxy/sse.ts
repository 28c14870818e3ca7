import type { GatewayError } from '../errors.ts'

const EVENT_END = Buffer.from('\n\n')

/**
 * Knows whether a relayed event stream stands at an event boundary, from its
 * last bytes alone: a blank line after any of SSE's three line ends.
 */
export class EventBoundary {
  /** The last four bytes; a stream begins at a boundary. */
  #tail = 0x0a0a0a0a

  /** `bytes[start]` up to `bytes[end]` were relayed. */
  track (bytes: Buffer, start: number, end: number): void {
    let tail = this.#tail
    for (let i = Math.max(start, end - 4); i < end; i++) tail = tail << 8 | bytes[i]!
    this.#tail = tail
  }

  get reached (): boolean {
    const lastTwo = this.#tail & 0xffff
    return lastTwo === 0x0a0a || lastTwo === 0x0d0d || this.#tail === 0x0d0a0d0a
  }

  /**
   * The bytes that end a broken stream honestly: the cut event, if any, closed,
   * then an error event in the shape that OpenAI and AI SDKs raise from. Never
   * a `[DONE]`.
   */
  closing (error: GatewayError): Buffer {
    const event = Buffer.from(`data: ${JSON.stringify(error.toBody())}\n\n`)
    return this.reached ? event : Buffer.concat([EVENT_END, event])
  }
}
