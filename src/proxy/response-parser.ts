import type { RawHeaders } from '../http/answer.ts'
import { MalformedResponseError, parseFields, parseResponseHead, type ResponseHead } from './response-head.ts'

/** What a {@link ResponseParser} finds, in order. */
export interface ResponseParts {
  /** The final answer's head; informational ones are taken in. */
  onHead (head: ResponseHead): void
  /** Bytes of the body: `bytes[start]` up to `bytes[end]`, which are another's after the call. */
  onBody (bytes: Buffer, start: number, end: number): void
}

/** Bytes of a head, its empty line included. */
const HEAD_LIMIT = 65536
/** Bytes of trailers, and of a chunk's extensions. */
const EXTRAS_LIMIT = 16384
/** Digits of a chunk's size: more than any memory, less than numbers are exact to. */
const SIZE_DIGITS = 12

const PROTOCOL = 'HTTP/1.'
const CR = 0x0d
const LF = 0x0a
const SEMICOLON = 0x3b

// RFC 9112 section 7.1.1, without white space.
const EXTENSION = /^(?:;[\w!#$%&'*+.^`|~-]+(?:=(?:[\w!#$%&'*+.^`|~-]+|"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"))?)*$/

type State = 'head' | 'body' | 'chunk size' | 'chunk extension' | 'chunk size end' | 'chunk' | 'chunk end' | 'chunk line end' | 'trailers' | 'to the end' | 'complete'

/**
 * Reads one answer after the other from an upstream's bytes, in whatever pieces
 * they come (RFC 9112). Holds no byte of a body.
 *
 * It is ours because of what it is beside: bytes go from the socket's memory to
 * the client's in one step, where undici's parser (WebAssembly) copies them in,
 * and calls back for each header's name and value.
 */
export class ResponseParser {
  readonly #parts: ResponseParts
  #state: State = 'complete'
  #method = ''
  /** The piece of a head, of an extension or of trailers that has come. */
  #held = ''
  /** Of the body or of the chunk. */
  #bytesLeft = 0
  /** Of a chunk's size. */
  #digits = 0
  #paused = false
  /** Of the last answer; empty unless it had some. */
  trailers: RawHeaders = []

  constructor (parts: ResponseParts) {
    this.#parts = parts
  }

  /** The answer has been read to its end, or none is awaited. */
  get complete (): boolean { return this.#state === 'complete' }

  get paused (): boolean { return this.#paused }

  /** A request is sent: its answer comes next. */
  begin (method: string): void {
    this.#method = method
    this.#state = 'head'
    this.#held = ''
    this.trailers = []
    this.#paused = false
  }

  /** To be called by a part's receiver: `execute` returns as soon as it does. */
  pause (): void { this.#paused = true }

  /** `execute` reads on. */
  resume (): void { this.#paused = false }

  /**
   * Reads `bytes` from `at` up to `end`, or up to the answer's end, or to where it is paused.
   * @returns where it stopped
   * @throws MalformedResponseError
   */
  execute (bytes: Buffer, at: number, end: number): number {
    while (at < end && !this.#paused && this.#state !== 'complete') at = this.#step(bytes, at, end)
    return at
  }

  /** The connection ended in order. False: that cuts the answer short. */
  finish (): boolean {
    if (this.#state === 'to the end') this.#state = 'complete'
    return this.complete
  }

  #step (bytes: Buffer, at: number, end: number): number {
    switch (this.#state) {
      case 'head': return this.#head(bytes, at, end)
      case 'body':
      case 'chunk':
      case 'to the end': return this.#body(bytes, at, end)
      case 'chunk size': return this.#chunkSize(bytes, at, end)
      case 'chunk extension': return this.#chunkExtension(bytes, at, end)
      case 'chunk size end': return this.#chunkSizeEnd(bytes[at]!, at)
      case 'chunk end': return this.#expect(bytes[at]!, CR, 'chunk line end', at)
      case 'chunk line end': return this.#expect(bytes[at]!, LF, 'chunk size', at)
      case 'trailers': return this.#trailers(bytes, at, end)
      case 'complete': return at
    }
  }

  #head (bytes: Buffer, at: number, end: number): number {
    const before = this.#held.length
    const text = this.#hold(bytes, at, end)
    if (!text.startsWith(PROTOCOL) && !PROTOCOL.startsWith(text)) throw new MalformedResponseError('no HTTP/1 answer')
    const length = text.indexOf('\r\n\r\n', Math.max(0, before - 3))
    if (length > HEAD_LIMIT || (length === -1 && text.length > HEAD_LIMIT)) throw new MalformedResponseError('the head is too long')
    if (length === -1) return end
    this.#held = ''
    const head = parseResponseHead(text.slice(0, length), this.#method)
    // RFC 9110 section 15.2: any number may precede the final one. A 101 is final.
    if (head.status < 100 || head.status > 199 || head.status === 101) this.#begun(head)
    return at + length + 4 - before
  }

  #begun (head: ResponseHead): void {
    this.#bytesLeft = head.framing === 'close' ? Infinity : head.length
    this.#state = BODY_STATES[head.framing]
    if (this.#state === 'body' && head.length === 0) this.#state = 'complete'
    this.#parts.onHead(head)
  }

  #body (bytes: Buffer, at: number, end: number): number {
    const stop = Math.min(end, at + this.#bytesLeft)
    this.#bytesLeft -= stop - at
    if (this.#bytesLeft === 0) this.#state = this.#state === 'chunk' ? 'chunk end' : 'complete'
    this.#parts.onBody(bytes, at, stop)
    return stop
  }

  #chunkSize (bytes: Buffer, at: number, end: number): number {
    for (; at < end; at++) {
      const digit = hexDigit(bytes[at]!)
      if (digit === -1) break
      this.#bytesLeft = this.#bytesLeft * 16 + digit
      if (++this.#digits > SIZE_DIGITS) throw new MalformedResponseError('a chunk is too large')
    }
    if (at === end) return at
    if (this.#digits === 0 || (bytes[at] !== CR && bytes[at] !== SEMICOLON)) throw new MalformedResponseError('a chunk\'s size is malformed')
    this.#digits = 0
    if (bytes[at] === CR) {
      this.#state = 'chunk size end'
      return at + 1
    }
    this.#state = 'chunk extension'
    return at
  }

  #chunkExtension (bytes: Buffer, at: number, end: number): number {
    let stop = at
    while (stop < end && bytes[stop] !== CR) stop++
    const text = this.#hold(bytes, at, stop)
    if (text.length > EXTRAS_LIMIT) throw new MalformedResponseError('a chunk\'s extension is too long')
    if (stop === end) return end
    if (!EXTENSION.test(text)) throw new MalformedResponseError('a chunk\'s extension is malformed')
    this.#held = ''
    this.#state = 'chunk size end'
    return stop + 1
  }

  #chunkSizeEnd (byte: number, at: number): number {
    return this.#expect(byte, LF, this.#bytesLeft === 0 ? 'trailers' : 'chunk', at)
  }

  #expect (byte: number, expected: number, next: State, at: number): number {
    if (byte !== expected) throw new MalformedResponseError('a chunk has no end where it should')
    this.#state = next
    return at + 1
  }

  #trailers (bytes: Buffer, at: number, end: number): number {
    const before = this.#held.length
    const text = this.#hold(bytes, at, end)
    const none = text.startsWith('\r\n')
    const length = none ? 0 : text.indexOf('\r\n\r\n')
    if (length > EXTRAS_LIMIT || (length === -1 && text.length > EXTRAS_LIMIT)) throw new MalformedResponseError('the trailers are too long')
    if (length === -1) return end
    this.#held = ''
    this.#state = 'complete'
    if (!none) this.trailers = parseFields(text.slice(0, length), 0)
    return at + length + (none ? 2 : 4) - before
  }

  #hold (bytes: Buffer, at: number, end: number): string {
    this.#held += bytes.toString('latin1', at, end)
    return this.#held
  }
}

const BODY_STATES = { none: 'complete', length: 'body', chunked: 'chunk size', close: 'to the end' } as const satisfies Record<ResponseHead['framing'], State>

/** The value of a hexadecimal digit; -1: none. */
function hexDigit (byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}
