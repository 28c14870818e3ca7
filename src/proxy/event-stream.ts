const EVENT_END = Buffer.from('\n\n')

/**
 * Knows from its last bytes whether a relayed event stream is at an event
 * boundary: a blank line after any of the three line ends of server-sent events.
 */
export class EventBoundary {
  /** The last four bytes. A stream begins at a boundary. */
  #tail = 0x0a0a0a0a

  /** A piece was relayed. */
  track (piece: Buffer): void {
    let tail = this.#tail
    for (let i = Math.max(0, piece.length - 4); i < piece.length; i++) tail = tail << 8 | piece[i]!
    this.#tail = tail
  }

  get reached (): boolean {
    const lastTwo = this.#tail & 0xffff
    return lastTwo === 0x0a0a || lastTwo === 0x0d0d || this.#tail === 0x0d0a0d0a
  }

  /** An event, behind the end of the event that was cut, if any. */
  closing (event: string): Buffer {
    const bytes = Buffer.from(event)
    return this.reached ? bytes : Buffer.concat([EVENT_END, bytes])
  }
}
