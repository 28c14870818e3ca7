import { AnswerScanner, type AnswerFacts } from './answer-scanner.ts'
import type { Usage } from './usage.ts'
import type { UsageReader } from './usage-reader.ts'

const DATA = Buffer.from('data:')
/** May stand before the first line (HTML standard, "Parsing an event stream"). */
const BYTE_ORDER_MARK = Buffer.from('\ufeff')
const [LF, CR, QUOTE, OPEN_OBJECT, COLON] = [...Buffer.from('\n\r"{:')] as [number, number, number, number, number]
/** Number of first data lines in which the model is looked for. */
const LINES_WITH_MODEL = 4

/**
 * The keys to search for, by their last seven bytes. A quote within a JSON string is
 * escaped, so that `"usage"` is a key or a whole value and never part of a text.
 */
const NEEDLES = ['"usage"', 'imings"'].map(text => Buffer.from(text))
const WINDOW = 7

/**
 * Horspool's search for both at once: the shift of the window by its last byte. It reads about every sixth byte, which is faster than two calls of
 * `Buffer.indexOf` (test/bench/usage-reader.ts).
 */
const SHIFTS = shifts()

function shifts (): Uint8Array {
  const table = new Uint8Array(256).fill(WINDOW)
  for (const needle of NEEDLES) {
    for (let i = 0; i < WINDOW - 1; i++) table[needle[i]!] = Math.min(table[needle[i]!]!, WINDOW - 1 - i)
  }
  return table
}

/**
 * Reads an event stream. A line within one piece is searched for the keys and
 * scanned only if it has one. A line that spans pieces is scanned as it arrives,
 * without buffering.
 */
export class EventStreamReader implements UsageReader {
  readonly #facts: AnswerFacts = { usage: undefined, timings: undefined, model: undefined }
  readonly #scanner = new AnswerScanner(this.#facts)
  /** Lines of data that are still scanned for the model. */
  #linesWithModel = LINES_WITH_MODEL
  /** The last piece ended within a line. */
  #inLine = false
  /** Bytes of `data:` that have matched at the line's start; -1: another line. */
  #prefix = 0
  /** Bytes of the byte order mark that have been read, or all where another byte came. */
  #mark = 0

  get usage (): Usage | undefined { return this.#facts.usage ?? this.#facts.timings }
  get model (): string | undefined { return this.#facts.model }

  read (bytes: Buffer): void {
    const start = this.#inLine ? this.#readOn(bytes) : 0
    const end = behindLastLine(bytes)
    if (end > start) {
      if (this.#linesWithModel > 0) this.#readLines(bytes, start, end)
      else this.#search(bytes, start, end)
    }
    if (!this.#inLine && Math.max(start, end) < bytes.length) {
      this.#inLine = true
      this.#begin()
      this.#scan(bytes, Math.max(start, end), bytes.length)
    }
  }

  /** Reads the rest of a line from an earlier piece; returns the index of the next line. */
  #readOn (bytes: Buffer): number {
    const end = lineEnd(bytes, 0)
    this.#scan(bytes, 0, end)
    if (end === bytes.length) return end
    this.#inLine = false
    this.#endLine()
    return end + 1
  }

  #readLines (bytes: Buffer, start: number, end: number): void {
    for (let at = start; at < end;) {
      if (this.#linesWithModel === 0) return this.#search(bytes, at, end)
      const stop = lineEnd(bytes, at)
      this.#readLine(bytes, at, stop)
      at = stop + 1
    }
  }

  #readLine (bytes: Buffer, start: number, end: number): void {
    this.#begin()
    this.#scan(bytes, start, end)
    this.#endLine()
  }

  #endLine (): void {
    if (this.#prefix === DATA.length && this.#linesWithModel > 0) this.#linesWithModel = this.model === undefined ? this.#linesWithModel - 1 : 0
  }

  #begin (): void {
    this.#prefix = 0
    this.#scanner.reset()
  }

  #scan (bytes: Buffer, start: number, end: number): void {
    let i = start
    while (i < end && bytes[i] === BYTE_ORDER_MARK[this.#mark]) {
      this.#mark++
      i++
    }
    // It is looked for at the start of the stream only.
    if (i < end) this.#mark = BYTE_ORDER_MARK.length
    while (i < end && this.#prefix >= 0 && this.#prefix < DATA.length) {
      this.#prefix = bytes[i] === DATA[this.#prefix] ? this.#prefix + 1 : -1
      i++
    }
    if (this.#prefix === DATA.length) this.#scanner.read(bytes, i, end)
  }

  #search (bytes: Buffer, start: number, end: number): void {
    for (let i = start + WINDOW - 1; i < end; i += SHIFTS[bytes[i]!]!) {
      if (bytes[i] !== QUOTE || !isKeyEnd(bytes, i, start) || !opensObject(bytes, i + 1, end)) continue
      const stop = lineEnd(bytes, i)
      this.#readLine(bytes, lineStart(bytes, i), stop)
      i = stop
    }
  }
}

/** Whether one of the keys ends at `last`. */
function isKeyEnd (bytes: Buffer, last: number, start: number): boolean {
  for (const needle of NEEDLES) {
    let k = 0
    while (k < WINDOW && bytes[last - k] === needle[WINDOW - 1 - k]) k++
    if (k === WINDOW) return last - WINDOW + 1 >= start
  }
  return false
}

/** Whether the key's value is an object: OpenAI writes `"usage":null` into every event but the last. */
function opensObject (bytes: Buffer, start: number, end: number): boolean {
  let i = start
  while (i < end && (bytes[i]! <= 0x20 || bytes[i] === COLON)) i++
  return bytes[i] === OPEN_OBJECT
}

/** The index of the next line end (any of SSE's three), or the length. */
function lineEnd (bytes: Buffer, start: number): number {
  const lf = bytes.indexOf(LF, start)
  const end = lf === -1 ? bytes.length : lf
  const cr = bytes.indexOf(CR, start)
  return cr === -1 || cr > end ? end : cr
}

function lineStart (bytes: Buffer, within: number): number {
  return Math.max(bytes.lastIndexOf(LF, within), bytes.lastIndexOf(CR, within)) + 1
}

/** The index after the last line end; 0 if there is none. */
function behindLastLine (bytes: Buffer): number {
  if (bytes[bytes.length - 1] === LF) return bytes.length
  return Math.max(bytes.lastIndexOf(LF), bytes.lastIndexOf(CR)) + 1
}
