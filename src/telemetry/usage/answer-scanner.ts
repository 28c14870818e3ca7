import { readTimings, readUsage, type Usage } from './usage.ts'

/** The facts that an answer states. */
export interface AnswerFacts {
  usage: Usage | undefined
  /** From llama.cpp's `timings`; used if there is no `usage`. */
  timings: Usage | undefined
  model: string | undefined
}

/** Bytes kept of one value: a `usage` has a few hundred, a model's id at most 100 characters. */
const KEPT = 8192
/** The longest of the known keys. */
const LONGEST_KEY = 8
/** Strings longer than this are searched with `indexOf`, whose call has a fixed cost. */
const SHORT_STRING = 48

const QUOTE = 0x22
const BACKSLASH = 0x5c
const [COMMA, COLON, OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = [...Buffer.from(',:{}[]')] as [number, number, number, number, number, number]

type Key = 'usage' | 'timings' | 'model' | 'parent'

/**
 * The known keys. `response` (OpenAI's `response.completed` event) and
 * `message` (Anthropic's `message_start`) hold an object with the others in it.
 */
const KEYS: readonly { readonly bytes: Buffer, readonly key: Key }[] = [
  { bytes: Buffer.from('usage'), key: 'usage' },
  { bytes: Buffer.from('timings'), key: 'timings' },
  { bytes: Buffer.from('model'), key: 'model' },
  { bytes: Buffer.from('response'), key: 'parent' },
  { bytes: Buffer.from('message'), key: 'parent' }
]

/** The scanner's state: before the object, between its parts, in one of them, or after it. */
const STATE = { before: 0, between: 1, key: 2, string: 3, nested: 4, nestedString: 5, after: 6 } as const

/**
 * Finds `usage`, `timings` and `model` in one JSON object that arrives in pieces of
 * any size, at the top level or in the parents of {@link KEYS}, and nowhere else:
 * not in a text, a tool's arguments or a deeper object. Memory is constant. It
 * never fails: for input that is not JSON the result is undefined, and only counts
 * depend on it.
 */
export class AnswerScanner {
  readonly #facts: AnswerFacts
  #state: number = STATE.before
  /** Depth that is scanned for keys: 1 in the answer, 2 in a parent. */
  #level = 0
  /** Open containers below that depth. */
  #depth = 0
  #expectsKey = false
  #escaped = false
  #key: Key | undefined
  readonly #keyBytes = new Uint8Array(LONGEST_KEY)
  /** Bytes of the key so far; more than {@link LONGEST_KEY}: an unknown one. */
  #keyLength = 0
  /** The present value is kept. */
  #keeps = false
  /** Its bytes from earlier pieces. */
  #kept: Buffer | undefined

  /** @param facts is filled in; the last of several values counts */
  constructor (facts: AnswerFacts) {
    this.#facts = facts
  }

  /** Ready for another object. */
  reset (): void {
    this.#state = STATE.before
    this.#level = 0
    this.#escaped = false
    this.#keeps = false
    this.#kept = undefined
  }

  /** Reads `bytes[start]` up to `bytes[end]`. The memory may be reused after the call. */
  read (bytes: Buffer, start: number, end: number): void {
    let i = start
    /** Index in this piece at which the kept value begins. */
    let from = start
    while (i < end) {
      switch (this.#state) {
        case STATE.before: {
          const byte = bytes[i++]!
          if (byte === OPEN_OBJECT) this.#enter()
          else if (byte > 0x20) this.#state = STATE.after
          break
        }
        case STATE.between: {
          const byte = bytes[i++]!
          if (byte === QUOTE) {
            if (this.#expectsKey) this.#startKey()
            else {
              this.#state = STATE.string
              this.#keeps = this.#key === 'model'
              from = i
            }
          } else if (byte === OPEN_OBJECT) {
            if (this.#key === 'parent' && this.#level === 1) this.#enter()
            else {
              this.#state = STATE.nested
              this.#depth = 1
              this.#keeps = this.#key === 'usage' || this.#key === 'timings'
              from = i - 1
            }
          } else if (byte === OPEN_ARRAY) {
            this.#state = STATE.nested
            this.#depth = 1
          } else if (byte === COMMA) this.#expectsKey = true
          else if (byte === COLON) this.#expectsKey = false
          else if (byte === CLOSE_OBJECT) this.#leave()
          break
        }
        case STATE.key:
          i = this.#readKey(bytes, i, end)
          break
        case STATE.string:
          i = this.#skipString(bytes, i, end)
          if (i === -1) i = end
          else {
            this.#state = STATE.between
            if (this.#keeps) this.#found(bytes.subarray(from, i - 1))
          }
          break
        case STATE.nested:
          i = this.#skipNested(bytes, i, end)
          if (this.#depth === 0) {
            this.#state = STATE.between
            if (this.#keeps) this.#found(bytes.subarray(from, i))
          }
          break
        case STATE.nestedString:
          i = this.#skipString(bytes, i, end)
          if (i === -1) i = end
          else this.#state = STATE.nested
          break
        default:
          return
      }
    }
    if (this.#keeps) this.#keep(bytes.subarray(from, end))
  }

  #enter (): void {
    this.#level++
    this.#state = STATE.between
    this.#expectsKey = true
    this.#key = undefined
  }

  #leave (): void {
    this.#level--
    this.#key = undefined
    if (this.#level === 0) this.#state = STATE.after
  }

  #startKey (): void {
    this.#state = STATE.key
    this.#keyLength = 0
    this.#escaped = false
  }

  #readKey (bytes: Buffer, start: number, end: number): number {
    let length = this.#keyLength
    let escaped = this.#escaped
    let i = start
    for (; i < end; i++) {
      const byte = bytes[i]!
      if (escaped) escaped = false
      else if (byte === BACKSLASH) escaped = true
      else if (byte === QUOTE) break
      // No service escapes these keys; a key with a backslash counts as unknown.
      if (length < LONGEST_KEY) this.#keyBytes[length] = byte
      length++
    }
    this.#keyLength = length
    this.#escaped = escaped
    if (i === end) return end
    this.#state = STATE.between
    this.#key = this.#knownKey()
    return i + 1
  }

  #knownKey (): Key | undefined {
    for (const { bytes, key } of KEYS) {
      if (bytes.length !== this.#keyLength) continue
      let i = 0
      while (i < bytes.length && bytes[i] === this.#keyBytes[i]) i++
      if (i === bytes.length) return key
    }
    return undefined
  }

  /** Returns the index after the string's closing quote; -1 if it is not in this piece. */
  #skipString (bytes: Buffer, start: number, end: number): number {
    let i = start
    if (this.#escaped) {
      this.#escaped = false
      i++
    }
    const near = Math.min(end, i + SHORT_STRING)
    for (; i < near; i++) {
      const byte = bytes[i]!
      if (byte === QUOTE) return i + 1
      if (byte === BACKSLASH) i++
    }
    while (i < end) {
      const quote = bytes.indexOf(QUOTE, i)
      const stop = quote === -1 || quote >= end ? end : quote
      const escaping = backslashesBefore(bytes, i, stop) % 2 === 1
      if (stop === end) {
        this.#escaped = escaping
        return -1
      }
      i = stop + 1
      if (!escaping) return i
    }
    // The last byte was a backslash: the escaped byte is in the next piece.
    this.#escaped = i > end
    return -1
  }

  #skipNested (bytes: Buffer, start: number, end: number): number {
    let depth = this.#depth
    let i = start
    while (i < end && depth > 0) {
      const byte = bytes[i++]!
      // Digits, commas, colons: most of a list of numbers.
      if (byte > QUOTE && byte < OPEN_ARRAY) continue
      if (byte === QUOTE) {
        const behind = this.#skipString(bytes, i, end)
        if (behind === -1) {
          this.#state = STATE.nestedString
          i = end
        } else i = behind
      } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++
      else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) depth--
    }
    this.#depth = depth
    return i
  }

  #keep (piece: Buffer): void {
    const length = (this.#kept?.length ?? 0) + piece.length
    if (length > KEPT) {
      this.#keeps = false
      this.#kept = undefined
    } else this.#kept = this.#kept === undefined ? Buffer.from(piece) : Buffer.concat([this.#kept, piece])
  }

  #found (last: Buffer): void {
    const length = (this.#kept?.length ?? 0) + last.length
    const text = length > KEPT ? undefined : this.#kept === undefined ? last.toString() : Buffer.concat([this.#kept, last]).toString()
    this.#keeps = false
    this.#kept = undefined
    if (text === undefined) return
    if (this.#key === 'model') this.#facts.model = parsed(`"${text}"`) as string | undefined ?? this.#facts.model
    else if (this.#key === 'usage') this.#facts.usage = merged(this.#facts.usage, readUsage(parsed(text)))
    else this.#facts.timings = readTimings(parsed(text)) ?? this.#facts.timings
  }
}

/**
 * Anthropic states the input at the beginning of a stream and the output at its
 * end. Counts that are stated more than once are cumulative: the largest is the total.
 */
function merged (before: Usage | undefined, usage: Usage | undefined): Usage | undefined {
  if (before === undefined || usage === undefined) return usage ?? before
  const total = { ...before }
  for (const [name, count] of Object.entries(usage) as [keyof Usage, number][]) total[name] = Math.max(total[name] ?? 0, count)
  return total
}

function parsed (json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

function backslashesBefore (bytes: Buffer, start: number, end: number): number {
  let count = 0
  while (end - count > start && bytes[end - count - 1] === BACKSLASH) count++
  return count
}
