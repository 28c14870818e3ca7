import { GatewayError } from '../errors.ts'
import { MODEL_LIMIT, type BodyEdit, type ModelScanner } from './scanner.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c

/**
 * States: what the grammar of RFC 8259 expects next. The states below ACTIONS
 * have a row in the table. The scan loop handles the others.
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
const OTHER_COLON = 33
const OTHER_VALUE = 34
const BOM_1 = 35
const BOM_2 = 36
const AFTER_BOM = 37
const ACTIONS = 38

const STRING = 38
const NAME = 39
const MODEL_STRING = 40
const OPEN_OBJECT = 41
const CLOSE_OBJECT = 42
const OPEN_ARRAY = 43
const CLOSE_ARRAY = 44
const COMMA = 45
const MODEL_NULL = 46
const MODEL_EMPTY = 47
const MODEL_TEXT = 48
const MODEL_NOT_TEXT = 49
const OTHER_NAMED = 50
const INVALID = 51

type Row = readonly [state: number, bytes: string, next: number]

const SPACE = ' \t\n\r'
const NONZERO = '123456789'
const DIGITS = '0' + NONZERO

/** The rows of a state in which a value may begin. */
const value = (state: number): Row[] => [
  [state, SPACE, state], [state, '"', STRING], [state, '{', OPEN_OBJECT], [state, '[', OPEN_ARRAY],
  [state, '-', MINUS], [state, '0', ZERO], [state, NONZERO, INTEGER], [state, 't', T], [state, 'f', F], [state, 'n', N]
]

/** The rows of a state in which a value may end. */
const after = (state: number): Row[] => [
  [state, SPACE, AFTER], [state, ',', COMMA], [state, '}', CLOSE_OBJECT], [state, ']', CLOSE_ARRAY]
]

const ROWS: Row[] = [
  [START, SPACE, AFTER_BOM], [START, '{', OPEN_OBJECT],
  // A UTF-8 byte order mark, which Windows tools write first. RFC 8259 section 8.1 lets a reader ignore it.
  [START, '\xef', BOM_1], [BOM_1, '\xbb', BOM_2], [BOM_2, '\xbf', AFTER_BOM],
  [AFTER_BOM, SPACE, AFTER_BOM], [AFTER_BOM, '{', OPEN_OBJECT],
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
  [MODEL_VALUE, '{[-tf' + DIGITS, MODEL_NOT_TEXT], [MODEL_VALUE, SPACE, MODEL_VALUE],
  [MODEL_VALUE, '"', MODEL_QUOTE], [MODEL_VALUE, 'n', MODEL_N],
  [MODEL_QUOTE, '"', MODEL_EMPTY],
  [MODEL_N, 'u', MODEL_NU], [MODEL_NU, 'l', MODEL_NUL], [MODEL_NUL, 'l', MODEL_NULL],
  [OTHER_COLON, SPACE, OTHER_COLON], [OTHER_COLON, ':', OTHER_VALUE],
  // A value that begins with `n` can only be null, which names nothing.
  [OTHER_VALUE, SPACE, OTHER_VALUE], [OTHER_VALUE, 'n', N], [OTHER_VALUE, '"{[-tf' + DIGITS, OTHER_NAMED]
]

/** The next state, by `state << 8 | byte`. */
const NEXT = new Uint8Array(ACTIONS << 8).fill(INVALID)
NEXT.fill(MODEL_TEXT, MODEL_QUOTE << 8, (MODEL_QUOTE + 1) << 8)
for (const [state, bytes, next] of ROWS) {
  for (const byte of Buffer.from(bytes, 'latin1')) NEXT[state << 8 | byte] = next
}

/** The longest spelling of a key that matters: six characters, each as `\u0000`. */
const KEY_LIMIT = 36
/** Bytes of a string that are read one by one before `indexOf` is called: see `stringEnd`. */
const NEAR = 32
/**
 * The scanner for a JSON body: one object, as RFC 8259 defines it. Structure,
 * numbers and literals are checked at every depth. The content of strings
 * (control bytes, escapes, UTF-8) is not checked: it passes unchanged and the
 * upstream judges it. So a picture of 10 MB costs one search for its closing quote.
 */
export class JsonModelScanner implements ModelScanner {
  model: string | null | undefined = undefined
  edit: BodyEdit | undefined = undefined
  namedBy: string | undefined = undefined

  readonly #defaultModel: string | undefined
  readonly #otherKeys: readonly string[]
  readonly #strict: boolean
  #state = START
  /** Bytes of the body before the current chunk. */
  #offset = 0
  #depth = 0
  /** The kinds of the innermost open brackets, one bit each (1: object). The innermost is the lowest bit. */
  #kinds = 0
  /** The kinds of the brackets further out, 32 to a word. Only bodies nested deeper than 32 levels need it. */
  #outer: Uint32Array<ArrayBuffer> | undefined
  #empty = true
  #named = false
  /** The next byte of the open string follows a backslash. */
  #escaped = false
  /** The raw bytes of the open key or model so far, as Latin-1. */
  #text = ''
  /** The last top-level key that was one of the other keys. */
  #otherKey = ''

  /**
   * @param defaultModel added where the body names no model. Undefined: nothing is added.
   * @param options.otherKeys top-level keys that name a model in another way, such as `models`: where one is not null, nothing is added. Of several in a body, `namedBy` is the one that stands first here
   * @param options.strict refuse a key that is `model` in other letter cases (`Model`), which Go's parser reads as `model`
   */
  constructor (defaultModel: string | undefined, { otherKeys = [] as readonly string[], strict = false } = {}) {
    this.#defaultModel = defaultModel
    this.#otherKeys = otherKeys
    this.#strict = strict
  }

  write (chunk: Buffer): void {
    const length = chunk.length
    let state = this.#state
    let i = 0
    // An error in mid-scan must not leave a state from which scanning could go on.
    this.#state = BROKEN
    while (i < length) {
      if (state < ACTIONS) {
        do state = NEXT[state << 8 | chunk[i++]!]!
        while (state < ACTIONS && i < length)
        if (state < ACTIONS) break
      }
      switch (state) {
        case STRING: {
          const end = this.#stringEnd(chunk, i)
          i = end + 1
          if (end < length) state = AFTER
          break
        }
        case NAME: {
          const end = this.#stringEnd(chunk, i)
          if (this.#depth === 1) state = this.#topLevelKey(chunk, i, end)
          else if (end < length) state = COLON
          i = end + 1
          break
        }
        case MODEL_STRING: {
          const end = this.#stringEnd(chunk, i)
          this.#keep(chunk, i, end, MODEL_LIMIT + 1)
          i = end + 1
          if (end < length) {
            this.model = decodeName(this.#text)
            this.#text = ''
            state = AFTER
          }
          break
        }
        case COMMA:
          state = (this.#kinds & 1) === 1 ? KEY : VALUE
          break
        case OPEN_OBJECT:
          this.#open(1)
          state = FIRST_KEY
          break
        case OPEN_ARRAY:
          this.#open(0)
          state = FIRST_ITEM
          break
        case CLOSE_ARRAY:
          state = this.#close(0)
          break
        case CLOSE_OBJECT:
          state = this.#close(1)
          if (state === DONE && !this.#named) this.#add(i - 1, 0, this.#empty ? '"model":' : ',"model":')
          break
        case MODEL_NULL:
          this.#add(i - 4, 4, '')
          state = AFTER
          break
        case MODEL_EMPTY:
          this.#add(i - 2, 2, '')
          state = AFTER
          break
        case MODEL_TEXT:
          i--
          state = MODEL_STRING
          break
        case MODEL_NOT_TEXT:
          i--
          this.model = null
          state = VALUE
          break
        case OTHER_NAMED:
          i--
          this.#nameBy(this.#otherKey)
          state = VALUE
          break
        default:
          throw new GatewayError('invalid_json')
      }
    }
    this.#state = state
    this.#offset += length
  }

  end (): void {
    const { edit } = this
    const state = this.#state
    this.#state = BROKEN
    if (state !== DONE) throw new GatewayError('invalid_json')
    if (this.namedBy !== undefined) this.edit = undefined
    else if (edit !== undefined) this.model = this.#defaultModel
  }

  /** Plans the default model at a position in the current chunk; the replaced bytes may begin in an earlier one. */
  #add (at: number, removed: number, key: string): void {
    if (this.#defaultModel === undefined) return
    this.edit = { position: this.#offset + at, removed, inserted: Buffer.from(key + JSON.stringify(this.#defaultModel)) }
  }

  /**
   * The index of the quote that closes the open string, or the chunk's length.
   *
   * A call of `indexOf` costs as much as about 50 steps of the loop. So the loop
   * reads keys, short values and text with many escaped quotes, and `indexOf`
   * reads long values. A quote is escaped where an odd number of backslashes
   * stands before it. Each run of backslashes is counted once, so the scan stays linear.
   */
  #stringEnd (chunk: Buffer, from: number): number {
    const length = chunk.length
    let i = from
    if (this.#escaped && i < length) {
      this.#escaped = false
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
    this.#escaped = i > length
    return length
  }

  #nameBy (key: string): void {
    const rank = (name: string) => this.#otherKeys.indexOf(name)
    if (this.namedBy === undefined || rank(key) < rank(this.namedBy)) this.namedBy = key
  }

  #topLevelKey (chunk: Buffer, from: number, end: number): number {
    this.#empty = false
    this.#keep(chunk, from, end, KEY_LIMIT + 1)
    if (end === chunk.length) return NAME
    const raw = this.#text
    this.#text = ''
    if (raw.length > KEY_LIMIT) return COLON
    const key = unescaped(raw)
    if (key === 'model') {
      if (this.#named) throw new GatewayError('duplicate_model')
      this.#named = true
      return MODEL_COLON
    }
    if (this.#strict && key.toLowerCase() === 'model') {
      throw new GatewayError('duplicate_model', { message: 'The request body has a key that some services read as `model`.' })
    }
    if (!this.#otherKeys.includes(key)) return COLON
    this.#otherKey = key
    return OTHER_COLON
  }

  #keep (chunk: Buffer, from: number, end: number, limit: number): void {
    const room = limit - this.#text.length
    if (room > 0) this.#text += chunk.toString('latin1', from, Math.min(end, from + room))
  }

  #open (kind: 0 | 1): void {
    if ((++this.#depth & 31) === 0) this.#spill()
    this.#kinds = this.#kinds << 1 | kind
  }

  #close (kind: 0 | 1): number {
    if ((this.#kinds & 1) !== kind) throw new GatewayError('invalid_json')
    this.#kinds >>>= 1
    if ((this.#depth-- & 31) === 0) this.#kinds = this.#outer![this.#depth >>> 5]!
    return this.#depth === 0 ? DONE : AFTER
  }

  /** Moves the kinds of 32 levels to the growing stack. */
  #spill (): void {
    const word = (this.#depth >>> 5) - 1
    this.#outer ??= new Uint32Array(32)
    if (word === this.#outer.length) {
      const grown = new Uint32Array(word * 2)
      grown.set(this.#outer)
      this.#outer = grown
    }
    this.#outer[word] = this.#kinds
    this.#kinds = 0
  }
}

/** @throws GatewayError for a malformed escape: parsers that are laxer than RFC 8259 may read another key. */
function unescaped (raw: string): string {
  if (!raw.includes('\\')) return raw
  try {
    return JSON.parse(`"${raw}"`)
  } catch (cause) {
    throw new GatewayError('invalid_json', { message: 'The request body has a key with a malformed escape.', cause })
  }
}

/** A name without escapes, which reads the same in every encoding. */
const PLAIN = /^[ !#-[\]-~]*$/

function decodeName (raw: string): string | null {
  if (raw.length > MODEL_LIMIT) return null
  if (PLAIN.test(raw)) return raw
  const text = Buffer.from(raw, 'latin1').toString()
  if (!raw.includes('\\')) return text
  try {
    return JSON.parse(`"${text}"`)
  } catch {
    // A malformed escape: the raw text, which is no model's id.
    return text
  }
}
