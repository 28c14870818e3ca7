const NOTHING: Buffer = Buffer.alloc(0)
const HEAD_END = Buffer.from('\r\n\r\n')
/** A longer head is no informational one: undici's own limit deals with it. */
const HEAD_LIMIT = 65536
/** `HTTP/1.1 100`: the bytes that tell. */
const ENOUGH = 12

/**
 * Takes informational answers (100, 102, 103) out of what a socket reads. They
 * may precede any answer, asked for or not (RFC 9110 section 15.2), but undici
 * takes an unasked 100 for a broken connection. A 101 is left in: it is final.
 */
export class InformationalFilter {
  #held = NOTHING
  #expectsHead = false

  /** What undici is to see of the bytes read; empty while more has to come. */
  filter (bytes: Buffer): Buffer {
    return this.#expectsHead ? this.#skip(bytes) : bytes
  }

  /** A request is about to be sent: the head of its answer comes next. */
  expectHead (): void {
    this.#expectsHead = true
    this.#held = NOTHING
  }

  /** What follows the informational answers. */
  #skip (chunk: Buffer): Buffer {
    let bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    this.#held = NOTHING
    while (bytes.length > 0) {
      const start = bytes.toString('latin1', 0, ENOUGH)
      const cut = start.length < ENOUGH && 'HTTP/1.'.startsWith(start.slice(0, 7))
      if (!cut && !/^HTTP\/1\.\d 1(?!01)\d\d$/.test(start)) break
      const end = cut ? -1 : bytes.indexOf(HEAD_END)
      if (end === -1) {
        if (bytes.length > HEAD_LIMIT) break
        this.#held = bytes
        return NOTHING
      }
      bytes = bytes.subarray(end + HEAD_END.length)
    }
    if (bytes.length > 0) this.#expectsHead = false
    return bytes
  }
}
