import type { GatewayError } from '../errors.ts'

const NOTHING: Buffer = Buffer.alloc(0)
const EVENT_END = Buffer.from('\n\n')

/**
 * Knows whether a relayed event stream stands at an event boundary, from its
 * last bytes alone: a blank line after any of SSE's three line ends.
 */
export class EventBoundary {
  #tail = NOTHING

  track (chunk: Buffer): void {
    this.#tail = chunk.length >= 4 ? chunk.subarray(-4) : Buffer.concat([this.#tail, chunk]).subarray(-4)
  }

  get reached (): boolean {
    const tail = this.#tail.toString('latin1')
    return tail === '' || tail.endsWith('\n\n') || tail.endsWith('\r\r') || tail.endsWith('\r\n\r\n')
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
