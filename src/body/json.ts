import { GatewayError } from '../errors.ts'
import { MODEL_LIMIT, type ModelScanner } from './scanner.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c

/**
 * What the grammar of RFC 8259 expects next. States below ACTIONS have a row in
 * the table; the others are reached through it and handled by the scan loop.
 */
const BROKEN = 0
const START = 1
const FIRST_KEY = 2
const KEY = 3
const COLON = 4
const VALUE = 5
const FIRST_ITEM = 6
const AFTER = 7
const DONE = 8
const MINUS = 9
const ZERO = 10
const INTEGER = 11
const POINT = 12
const FRACTION = 13
const EXPONENT_MARK = 14
const EXPONENT_SIGN = 15
const EXPONENT = 16
const T = 17
const TR = 18
const TRU = 19
const F = 20
const FA = 21
const FAL = 22
const FALS = 23
const N = 24
const NU = 25
const NUL = 26
const MODEL_COLON = 27
const MODEL_VALUE = 28
const MODEL_QUOTE = 29
const MODEL_N = 30
const MODEL_NU = 31
const MODEL_NUL = 32
const ACTIONS = 33

const STRING = 33
const NAME = 34
const MODEL_STRING = 35
const OPEN_OBJECT = 36
const CLOSE_OBJECT = 37
const OPEN_ARRAY = 38
const CLOSE_ARRAY = 39
const COMMA = 40
const MODEL_NULL = 41
const MODEL_EMPTY = 42
const MODEL_TEXT = 43
const MODEL_OTHER = 44
const INVALID = 45

type Row = readonly [state: number, bytes: string, next: number]

const SPACE = ' \t\n\r'
const NONZERO = '123456789'
const DIGITS = '0' + NONZERO

/** From each state, where a value may begin. */
const value = (state: number): Row[] => [
  [state, SPACE, state], [state, '"', STRING], [state, '{', OPEN_OBJECT], [state, '[', OPEN_ARRAY],
  [state, '-', MINUS], [state, '0', ZERO], [state, NONZERO, INTEGER], [state, 't', T], [state, 'f', F], [state, 'n', N]
]

/** What may follow a whole value; a number ends only there. */
const after = (state: number): Row[] => [
  [state, SPACE, AFTER], [state, ',', COMMA], [state, '}', CLOSE_OBJECT], [state, ']', CLOSE_ARRAY]
]

const ROWS: Row[] = [
  [START, SPACE, START], [START, '{', OPEN_OBJECT],
  [FIRST_KEY, SPACE, FIRST_KEY], [FIRST_KEY, '"', NAME], [FIRST_KEY, '}', CLOSE_OBJECT],
  [KEY, SPACE, KEY], [KEY, '"', NAME],
  [COLON, SPACE, COLON], [COLON, ':', VALUE],
  ...value(VALUE),
  ...value(FIRST_ITEM), [FIRST_ITEM, ']', CLOSE_ARRAY],
  ...after(AFTER),
  [DONE, SPACE, DONE],
  [MINUS, '0', ZERO], [MINUS, NONZERO, INTEGER],
  ...after(ZERO), [ZERO, '.', POINT], [ZERO, 'eE', EXPONENT_MARK],
  ...after(INTEGER), [INTEGER, DIGITS, INTEGER], [INTEGER, '.', POINT], [INTEGER, 'eE', EXPONENT_MARK],
  [POINT, DIGITS, FRACTION],
  ...after(FRACTION), [FRACTION, DIGITS, FRACTION], [FRACTION, 'eE', EXPONENT_MARK],
  [EXPONENT_MARK, '+-', EXPONENT_SIGN], [EXPONENT_MARK, DIGITS, EXPONENT],
  [EXPONENT_SIGN, DIGITS, EXPONENT],
  ...after(EXPONENT), [EXPONENT, DIGITS, EXPONENT],
  [T, 'r', TR], [TR, 'u', TRU], [TRU, 'e', AFTER],
  [F, 'a', FA], [FA, 'l', FAL], [FAL, 's', FALS], [FALS, 'e', AFTER],
  [N, 'u', NU], [NU, 'l', NUL], [NUL, 'l', AFTER],
  [MODEL_COLON, SPACE, MODEL_COLON], [MODEL_COLON, ':', MODEL_VALUE],
  [MODEL_VALUE, '{[-tf' + DIGITS, MODEL_OTHER], [MODEL_VALUE, SPACE, MODEL_VALUE],
  [MODEL_VALUE, '"', MODEL_QUOTE], [MODEL_VALUE, 'n', MODEL_N],
  [MODEL_QUOTE, '"', MODEL_EMPTY],
  [MODEL_N, 'u', MODEL_NU], [MODEL_NU, 'l', MODEL_NUL], [MODEL_NUL, 'l', MODEL_NULL]
]

/** The next state by `state << 8 | byte`: one load a byte. */
const NEXT = new Uint8Array(ACTIONS << 8).fill(INVALID)
NEXT.fill(MODEL_TEXT, MODEL_QUOTE << 8, (MODEL_QUOTE + 1) << 8)
for (const [state, bytes, next] of ROWS) {
  for (const byte of Buffer.from(bytes)) NEXT[state << 8 | byte] = next
}

/** Bytes that the model's value may still turn out to lose, by state. */
const HELD = new Uint8Array(INVALID + 1)
HELD[MODEL_QUOTE] = 1
HELD[MODEL_N] = 1
HELD[MODEL_NU] = 2
HELD[MODEL_NUL] = 3

const MODEL = Buffer.from('model')
/** `\u006d\u006f\u0064\u0065\u006c`: no spelling of `model` is longer. */
const KEY_LIMIT = 30
/** Bytes of a string looked at one by one before indexOf: see `stringEnd`. */
const NEAR = 32
const OPENING_QUOTE = Buffer.from('"')

interface Insertion { value: Buffer, only: Buffer, next: Buffer }

// Default models come from the settings, so there are a handful. Making these
// three buffers for each request took 0.45 µs, as much as scanning 1 KB.
const insertions = new Map<string, Insertion>()

function insertionOf (model: string): Insertion {
  let insertion = insertions.get(model)
  if (insertion === undefined) {
    const value = JSON.stringify(model)
    insertion = { value: Buffer.from(value), only: Buffer.from(`"model":${value}`), next: Buffer.from(`,"model":${value}`) }
    insertions.set(model, insertion)
  }
  return insertion
}

/**
 * The scanner for a JSON body: one object, by RFC 8259. Structure, numbers and
 * literals are checked at every depth. What strings hold is not (control bytes,
 * escapes, UTF-8): those bytes pass unchanged and the upstream judges them, which
 * is what lets a 10 MB picture be skipped by a search for its closing quote.
 */
export class JsonModelScanner implements ModelScanner {
  settled: boolean
  delta = 0
  model: string | null | undefined = undefined

  private readonly insertion: Insertion | undefined
  private readonly defaultModel: string | undefined
  private readonly policed: boolean
  private state = START
  private depth = 0
  /** The kinds of the innermost open brackets, one bit each (1: object), innermost lowest. */
  private kinds = 0
  /** The kinds further out, 32 to a word; there is none in a body that people write. */
  private outer: Uint32Array<ArrayBuffer> | undefined
  private empty = true
  private named = false
  /** The next byte of the open string stands behind a backslash. */
  private escaped = false
  /** The open key's or model's raw bytes of earlier chunks, as Latin-1. */
  private text = ''

  /** @param options.policed what runs must be what is read here: a key that is `model` in other letters (`Model`), which Go's parsers take for it, is refused */
  constructor (defaultModel: string | undefined, { policed = false } = {}) {
    this.defaultModel = defaultModel
    this.policed = policed
    this.insertion = defaultModel === undefined ? undefined : insertionOf(defaultModel)
    this.settled = defaultModel === undefined
  }

  write (chunk: Buffer): Buffer[] {
    const out: Buffer[] = []
    const { insertion } = this
    const length = chunk.length
    let state = this.state
    let sent = 0
    let i = 0
    // A throw in mid-scan must not leave a state from which scanning could go on.
    this.state = BROKEN
    while (i < length) {
      if (state < ACTIONS) {
        do state = NEXT[state << 8 | chunk[i++]!]!
        while (state < ACTIONS && i < length)
        if (state < ACTIONS) break
      }
      switch (state) {
        case STRING: {
          const end = this.stringEnd(chunk, i)
          i = end + 1
          if (end < length) state = AFTER
          break
        }
        case NAME: {
          const end = this.stringEnd(chunk, i)
          if (this.depth === 1) state = this.topLevelKey(chunk, i, end)
          else if (end < length) state = COLON
          i = end + 1
          break
        }
        case MODEL_STRING: {
          const end = this.stringEnd(chunk, i)
          this.keep(chunk, i, end, MODEL_LIMIT)
          i = end + 1
          if (end < length) {
            this.model = decodeName(this.text)
            this.text = ''
            state = AFTER
          }
          break
        }
        case COMMA:
          state = (this.kinds & 1) === 1 ? KEY : VALUE
          break
        case OPEN_OBJECT:
          this.open(1)
          state = FIRST_KEY
          break
        case OPEN_ARRAY:
          this.open(0)
          state = FIRST_ITEM
          break
        case CLOSE_ARRAY:
          state = this.close(0)
          break
        case CLOSE_OBJECT:
          state = this.close(1)
          if (state === DONE && !this.settled && insertion !== undefined) {
            const added = this.empty ? insertion.only : insertion.next
            push(out, chunk, sent, i - 1)
            out.push(added)
            sent = i - 1
            this.put(added.length)
          }
          break
        case MODEL_NULL:
        case MODEL_EMPTY: {
          const replaced = state === MODEL_NULL ? 4 : 2
          if (insertion !== undefined) {
            push(out, chunk, sent, i - replaced)
            out.push(insertion.value)
            sent = i
            this.put(insertion.value.length - replaced)
          }
          state = AFTER
          break
        }
        case MODEL_TEXT:
          i--
          if (i === 0 && insertion !== undefined) out.push(OPENING_QUOTE)
          this.settled = true
          state = MODEL_STRING
          break
        case MODEL_OTHER:
          i--
          this.settled = true
          this.model = null
          state = VALUE
          break
        default:
          throw new GatewayError('invalid_json')
      }
    }
    this.state = state
    const held = insertion === undefined ? 0 : HELD[state]!
    push(out, chunk, sent, length - held)
    return out
  }

  end (): Buffer[] {
    const { state } = this
    this.state = BROKEN
    if (state !== DONE) throw new GatewayError('invalid_json')
    return []
  }

  private put (delta: number): void {
    this.delta += delta
    this.settled = true
    this.model = this.defaultModel
  }

  /**
   * The index of the quote that closes the open string, or the chunk's length.
   *
   * indexOf looks at 16 to 32 bytes at once where a loop looks at one, but a call
   * costs as much as some 50 steps of the loop (0.03 µs). So the loop takes the keys, the
   * short values, and text full of escaped quotes (which would otherwise be a call
   * for each), and indexOf the long way. A quote is escaped where an odd number of
   * backslashes stands before it; each run is counted once, so all stays linear.
   */
  private stringEnd (chunk: Buffer, from: number): number {
    const length = chunk.length
    let i = from
    if (this.escaped && i < length) {
      this.escaped = false
      i++
    }
    while (i < length) {
      for (const near = Math.min(i + NEAR, length); i < near; i++) {
        const byte = chunk[i]
        if (byte === QUOTE) return i
        if (byte === BACKSLASH) i++
      }
      if (i >= length) break
      const quote = chunk.indexOf(QUOTE, i)
      const end = quote < 0 ? length : quote
      let run = end
      while (run > i && chunk[run - 1] === BACKSLASH) run--
      const odd = ((end - run) & 1) === 1
      if (!odd) return end
      i = end + 1
    }
    this.escaped = i > length
    return length
  }

  private topLevelKey (chunk: Buffer, from: number, end: number): number {
    const whole = end < chunk.length
    this.empty = false
    if (!whole || this.text !== '') {
      this.keep(chunk, from, end, KEY_LIMIT + 1)
      if (!whole) return NAME
    }
    const isModel = this.text === '' ? isModelKey(chunk, from, end) : isModelText(this.text)
    if (!isModel && this.policed && isModelInOtherLetters(this.text === '' ? chunk.toString('latin1', from, Math.min(end, from + KEY_LIMIT + 1)) : this.text)) {
      throw new GatewayError('duplicate_model', { message: 'The request body has a key that some services read as `model`.' })
    }
    this.text = ''
    if (!isModel) return COLON
    if (this.named) throw new GatewayError('duplicate_model')
    this.named = true
    return MODEL_COLON
  }

  private keep (chunk: Buffer, from: number, end: number, limit: number): void {
    const room = limit - this.text.length
    if (room > 0) this.text += chunk.toString('latin1', from, Math.min(end, from + room))
  }

  private open (kind: 0 | 1): void {
    if ((++this.depth & 31) === 0) this.spill()
    this.kinds = this.kinds << 1 | kind
  }

  private close (kind: 0 | 1): number {
    if ((this.kinds & 1) !== kind) throw new GatewayError('invalid_json')
    this.kinds >>>= 1
    if ((this.depth-- & 31) === 0) this.kinds = this.outer![this.depth >>> 5]!
    return this.depth === 0 ? DONE : AFTER
  }

  /** Keeps the kinds of 32 levels in the growing bit stack: nesting costs a bit a level. */
  private spill (): void {
    const word = (this.depth >>> 5) - 1
    this.outer ??= new Uint32Array(32)
    // transfer frees the old words at once: at 100 million levels they would wait for a collection.
    if (word === this.outer.length) this.outer = new Uint32Array(this.outer.buffer.transfer(this.outer.byteLength * 2))
    this.outer[word] = this.kinds
    this.kinds = 0
  }
}

function push (out: Buffer[], chunk: Buffer, from: number, to: number): void {
  if (to <= from) return
  // A body that names its model passes as the object it came in.
  out.push(from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to))
}

function isModelKey (chunk: Buffer, from: number, end: number): boolean {
  const length = end - from
  if (length === MODEL.length) {
    for (let i = 0; i < length; i++) if (chunk[from + i] !== MODEL[i]) return false
    return true
  }
  if (length > KEY_LIMIT) return false
  for (let i = from; i < end; i++) if (chunk[i] === BACKSLASH) return isModelText(chunk.toString('latin1', from, end))
  return false
}

function isModelText (raw: string): boolean {
  if (raw.length <= MODEL.length || raw.length > KEY_LIMIT) return raw === 'model'
  return raw.includes('\\') && unescaped(raw) === 'model'
}

function isModelInOtherLetters (raw: string): boolean {
  return raw.length <= KEY_LIMIT && unescaped(raw).toLowerCase() === 'model'
}

function unescaped (raw: string): string {
  if (!raw.includes('\\')) return raw
  try {
    return JSON.parse(`"${raw}"`)
  } catch (cause) {
    // No telling which key a parser laxer than RFC 8259 would read here.
    throw new GatewayError('invalid_json', { message: 'The request body has a key with a malformed escape.', cause })
  }
}

/** A name that is what it reads, whatever its encoding. */
const PLAIN = /^[ !#-[\]-~]*$/

function decodeName (raw: string): string {
  if (PLAIN.test(raw)) return raw
  const text = Buffer.from(raw, 'latin1').toString()
  if (!raw.includes('\\')) return text
  try {
    return JSON.parse(`"${text}"`)
  } catch {
    // Cut in mid-escape, or malformed: the raw text, which is no model's id.
    return text
  }
}
