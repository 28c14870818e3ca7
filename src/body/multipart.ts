import { GatewayError } from '../errors.ts'
import { MODEL_LIMIT, type BodyEdit, type ModelScanner } from './scanner.ts'

const DASH = 0x2d
const CR = 0x0d
const LF = 0x0a
const SPACE = 0x20
const TAB = 0x09

/** Bytes of one part's headers; Node and busboy allow as much for all headers of a message. */
const HEADER_LIMIT = 16 * 1024
/** Bytes of white space behind a delimiter. RFC 2046 forbids senders to add any. */
const PADDING_LIMIT = 256
const EMPTY = Buffer.alloc(0)
const CRLF = Buffer.from('\r\n')
const HEADERS_END = Buffer.from('\r\n\r\n')

function invalid (message: string): GatewayError {
  return new GatewayError('invalid_multipart', { message })
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const FIELD = new RegExp(`(${TOKEN}):`, 'y')
const TYPE = new RegExp(`[ \\t]*(${TOKEN}(?:/${TOKEN})?)[ \\t]*`, 'y')
// Each alternative begins with another character, so none is tried twice: a
// header of 16 KiB is not read more than twice.
const PARAMETER = new RegExp(`;[ \\t]*(?:(${TOKEN})=(?:"((?:[^"\\\\]|\\\\.)*)"|([^"; \\t]*(?:[ \\t]+[^"; \\t]+)*)))?[ \\t]*`, 'y')
const IS_TOKEN = new RegExp(`^${TOKEN}$`)
// eslint-disable-next-line no-control-regex
const CONTROL = /[\0-\x08\x0a-\x1f\x7f]/

interface Parameter { name: string, value: string, quoted: boolean }

/**
 * The value and parameters of a Content-Type or Content-Disposition. Quoted
 * values keep their escapes. What parsers read in different ways is refused:
 * text behind a quoted value, a quote in an unquoted one, and `\\"`, which is a
 * backslash and the end to busboy, and an escaped quote to python-multipart
 * (0.0.32, _parseparam).
 */
function parametersOf (header: string): { type: string, parameters: Parameter[] } {
  TYPE.lastIndex = 0
  const type = TYPE.exec(header)?.[1]
  if (type === undefined || header.includes('\\\\"')) throw invalid('The request body has a malformed multipart header.')
  const parameters: Parameter[] = []
  for (let at = TYPE.lastIndex; at < header.length; at = PARAMETER.lastIndex) {
    PARAMETER.lastIndex = at
    const match = PARAMETER.exec(header)
    if (match === null) throw invalid('The request body has a malformed multipart header.')
    const [, name, quoted, unquoted] = match
    // An empty parameter, as a trailing semicolon makes one.
    if (name === undefined) continue
    parameters.push({ name: name.toLowerCase(), value: quoted ?? unquoted!, quoted: quoted !== undefined })
  }
  return { type: type.toLowerCase(), parameters }
}

/**
 * The `boundary` of a multipart Content-Type (RFC 2046, section 5.1.1).
 *
 * Without quotes it may hold what RFC 2046 allows and RFC 9110 would have quoted
 * (`=`, `/`, `:`), because clients derived from mail software send that. Two
 * boundaries, or one in pieces (`boundary*0`, RFC 2231), are refused: parsers
 * disagree on which one holds.
 *
 * A `charset` other than UTF-8 is refused: Starlette reads names and values in
 * it, and in `cp037` or `utf-7` it would find another model than this scanner.
 * @throws {GatewayError} `invalid_multipart`, `unsupported_media_type`
 */
export function boundaryOf (contentType: string): string {
  const { parameters } = parametersOf(contentType)
  if (parameters.some(({ name, value }) => name.startsWith('charset') && !(name === 'charset' && /^(utf-8|us-ascii)$/i.test(value)))) {
    throw new GatewayError('unsupported_media_type', { message: 'This route takes multipart/form-data in UTF-8 only.' })
  }
  const found = parameters.filter(({ name }) => name.startsWith('boundary'))
    .filter(({ name }) => name === 'boundary' || name.startsWith('boundary*'))
  const [boundary] = found
  if (found.length !== 1 || boundary!.name !== 'boundary') throw invalid('The content type has no boundary, or more than one.')
  const { value, quoted } = boundary!
  const wellFormed = /^[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]$/.test(value) && (quoted || !value.includes(' '))
  if (!wellFormed) throw invalid('The content type has a malformed boundary.')
  return value
}

/** What a part is, by its headers. */
type Part = 'other' | 'model' | 'model file'

/**
 * Reads a part's headers: the block from the delimiter line's CRLF to its empty line.
 *
 * Only the `name` of the Content-Disposition counts (RFC 7578, section 4.2), as
 * busboy 1.6 and python-multipart 0.0.32 (Starlette, and so vLLM and SGLang) read
 * it: a backslash escapes only a quote or itself, percent signs mean themselves.
 * Where parsers would read different names, the body is refused:
 * - `name*` (forbidden by RFC 7578): both ignore it, Go and older
 *   python-multipart decode it, Starlette refuses a part that has no other name;
 * - two names, or two Content-Dispositions: busboy takes the first, Starlette the last;
 * - `name="mo\del"`: `model` by RFC 822, `mo\del` to both;
 * - `attachment; name="model"`: a field to Starlette, nothing to busboy.
 *
 * A `model` part with a filename names a model that is not a string: a second
 * part beside it would leave the choice to the upstream.
 */
function partOf (block: string): Part {
  // obs-fold (RFC 9112, section 5.2): busboy unfolds, python-multipart refuses.
  const lines = block.replace(/\r\n[ \t]+/g, ' ').split('\r\n')
  let disposition: string | undefined
  for (let i = 1; i < lines.length; i++) {
    const line = lines[i]!
    FIELD.lastIndex = 0
    const name = FIELD.exec(line)?.[1]
    // A line that begins like a delimiter is one to RFC 2046 and a header to parsers.
    if (name === undefined || line.startsWith('--') || CONTROL.test(line)) throw invalid('The request body has a malformed part header.')
    if (name.toLowerCase() !== 'content-disposition') continue
    if (disposition !== undefined) throw invalid('The request body has a part with two Content-Disposition headers.')
    disposition = line.slice(FIELD.lastIndex)
  }
  // A fold directly behind the delimiter line belongs to no header.
  if (lines[0] !== '') throw invalid('The request body has a malformed part header.')
  return disposition === undefined ? 'other' : partOfDisposition(disposition)
}

function partOfDisposition (disposition: string): Part {
  const { type, parameters } = parametersOf(disposition)
  const names = parameters.filter(({ name }) => name === 'name' || name.startsWith('name*'))
  const [only] = names
  if (only === undefined) return 'other'
  const { name, value, quoted } = only
  if (names.length > 1 || name !== 'name') throw invalid('The request body has a part with more than one name.')
  if (!quoted && value !== '' && !IS_TOKEN.test(value)) throw invalid('The request body has a part with a malformed name.')
  if (value.replace(/\\(.)/g, '$1') !== 'model') return 'other'
  if (value !== 'model' || type !== 'form-data') throw invalid('The request body has a part whose name is ambiguous.')
  return parameters.some(({ name }) => name === 'filename' || name.startsWith('filename*')) ? 'model file' : 'model'
}

const SEARCH = 0
const TAIL = 1
const HEADERS = 2
const CLOSED = 3
const EPILOGUE = 4
const BROKEN = 5

/**
 * What follows `CRLF--boundary` makes it a delimiter line (padding, CRLF), the
 * close delimiter (`--`) or, with anything else, content: `--boundaryX` is how
 * busboy, python-multipart and Go read it, though RFC 2046 lets a prefix do. A
 * bare LF behind the boundary is refused: a delimiter to lax parsers only.
 */
const AFTER_BOUNDARY = 0
const AFTER_DASH = 1
const AFTER_PADDING = 2
const AFTER_CR = 3
const NEXT_PART = 4
const CLOSE = 5
const CONTENT = 6
const BARE_LF = 7
const CLASSES = [DASH, SPACE, TAB, CR, LF]
const TAILS = [
  // dash, space, tab, CR, LF, other
  [AFTER_DASH, AFTER_PADDING, AFTER_PADDING, AFTER_CR, BARE_LF, CONTENT],
  [CLOSE, CONTENT, CONTENT, CONTENT, CONTENT, CONTENT],
  [CONTENT, AFTER_PADDING, AFTER_PADDING, AFTER_CR, BARE_LF, CONTENT],
  [CONTENT, CONTENT, CONTENT, CONTENT, NEXT_PART, CONTENT]
] as const

/**
 * The scanner for a multipart/form-data body (RFC 7578, RFC 2046). Lines must end
 * in CRLF, as busboy and python-multipart want it: a body with bare LFs has no
 * delimiters and is refused.
 */
export class MultipartModelScanner implements ModelScanner {
  model: string | null | undefined = undefined
  edit: BodyEdit | undefined = undefined
  readonly namedBy = undefined

  readonly #defaultModel: string | undefined
  readonly #strict: boolean
  /** `CRLF--boundary`. Its CR occurs nowhere else in it, so a failed match never overlaps another. */
  readonly #delimiter: Buffer
  #state = SEARCH
  #chunk: Buffer = EMPTY
  /** Bytes of the body before the current chunk. */
  #offset = 0
  #named = false
  /** The open part is the model's: its content is the name. */
  #inModel = false
  /** The first bytes of the model's name, or the last bytes of the preamble, as Latin-1. */
  #text = ''
  /** No delimiter has been seen. */
  #preamble = true

  /** Bytes are being matched that may turn out to be a delimiter. */
  #candidate = true
  /** The candidate's bytes from earlier chunks. */
  #carry: Buffer = EMPTY
  /** Where the candidate begins in the current chunk; 0 where it began in an earlier one. */
  #start = 0
  /** How many bytes of the delimiter have matched. The body may begin with one that lacks its CRLF. */
  #matched = CRLF.length
  /** The candidate has no CRLF of its own: it stands where the body, or a part's content, begins. */
  #bare: 'body' | 'part' | undefined = 'body'
  #tail = AFTER_BOUNDARY
  #padding = 0

  /** The headers of a part that a chunk boundary cuts, from the CRLF of the delimiter line on. */
  #headers: Buffer | undefined
  #headersLength = 0

  /**
   * @param defaultModel added where the body has no `model` part, or an empty one. Undefined: nothing is added.
   * @param options.strict refuse text before the first boundary: a service that reads every body as JSON, up to the end of the first value (Ollama), would find its model there
   */
  constructor (defaultModel: string | undefined, boundary: string, { strict = false } = {}) {
    this.#defaultModel = defaultModel
    this.#strict = strict
    this.#delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1')
  }

  write (chunk: Buffer): void {
    this.#chunk = chunk
    this.#start = 0
    try {
      for (let at = 0; at < chunk.length;) at = this.#step(at)
    } catch (error) {
      this.#state = BROKEN
      throw error
    }
    if (this.#candidate) this.#carry = Buffer.concat([this.#carry, chunk.subarray(this.#start)])
    this.#chunk = EMPTY
    this.#offset += chunk.length
  }

  end (): void {
    const state = this.#state
    this.#state = BROKEN
    if (state !== CLOSED && state !== EPILOGUE) throw invalid('The request body ends before its closing boundary.')
    if (this.edit !== undefined) this.model = this.#defaultModel
  }

  #step (at: number): number {
    switch (this.#state) {
      case SEARCH: return this.#candidate ? this.#match(at) : this.#search(at)
      case TAIL: return this.#readTail(at)
      case HEADERS: return this.#readHeaders(at)
      case CLOSED: return this.#readPadding(at)
      case EPILOGUE: return this.#chunk.length
      default: throw new GatewayError('invalid_multipart')
    }
  }

  #search (at: number): number {
    const chunk = this.#chunk
    const found = chunk.indexOf(this.#delimiter, at)
    if (found >= 0) {
      this.#keep(chunk, at, found)
      this.#candidate = true
      this.#start = found
      this.#expectTail()
      return found + this.#delimiter.length
    }
    const cut = this.#cutDelimiter(at)
    this.#keep(chunk, at, cut)
    if (cut < chunk.length) {
      this.#candidate = true
      this.#start = cut
      this.#matched = chunk.length - cut
    }
    return chunk.length
  }

  /** Where the chunk's end may cut a delimiter; the chunk's length where it does not. */
  #cutDelimiter (from: number): number {
    const chunk = this.#chunk
    const delimiter = this.#delimiter
    const { length } = chunk
    for (let i = length - 1, first = Math.max(from, length - delimiter.length + 1); i >= first; i--) {
      if (chunk[i] === CR) return chunk.compare(delimiter, 0, length - i, i, length) === 0 ? i : length
    }
    return length
  }

  #match (from: number): number {
    const chunk = this.#chunk
    const delimiter = this.#delimiter
    let at = from
    let matched = this.#matched
    while (at < chunk.length && matched < delimiter.length && chunk[at] === delimiter[matched]) {
      at++
      matched++
    }
    this.#matched = matched
    if (matched === delimiter.length) this.#expectTail()
    else if (at < chunk.length) this.#reject(at)
    return at
  }

  #expectTail (): void {
    this.#state = TAIL
    this.#tail = AFTER_BOUNDARY
    this.#padding = 0
  }

  #readTail (from: number): number {
    for (let at = from; at < this.#chunk.length; at++) {
      const kind = CLASSES.indexOf(this.#chunk[at]!)
      const tail = TAILS[this.#tail]!.at(kind)!
      switch (tail) {
        case CONTENT: return this.#reject(at)
        case NEXT_PART: return this.#nextPart(at + 1)
        case CLOSE: return this.#close(at + 1)
        case BARE_LF: throw invalid('The request body has a boundary whose line ends without CR.')
        case AFTER_PADDING:
          if (++this.#padding > PADDING_LIMIT) throw invalid('The request body has a boundary with too much white space behind it.')
      }
      this.#tail = tail
    }
    return this.#chunk.length
  }

  /** The candidate is content. */
  #reject (at: number): number {
    // busboy ends the part at a line that is longer than the delimiter: the name would be two names.
    if (this.#inModel && this.#state === TAIL) throw invalid('The request body has its boundary in the model\'s name.')
    this.#keep(this.#carry, 0, this.#carry.length)
    this.#keep(this.#chunk, this.#start, at)
    this.#forgetCandidate()
    this.#state = SEARCH
    return at
  }

  /** The candidate is a delimiter. The default model, where it is added, goes before it. */
  #accept (inserted: string | undefined): void {
    if (this.#bare === 'part') throw invalid('The request body has a part without content whose boundary has no line of its own.')
    if (inserted !== undefined) {
      const position = this.#offset + this.#start - this.#carry.length
      this.edit = { position, removed: 0, inserted: Buffer.from(inserted) }
    }
    this.#forgetCandidate()
    this.#preamble = false
  }

  #forgetCandidate (): void {
    this.#candidate = false
    this.#carry = EMPTY
    this.#bare = undefined
  }

  #nextPart (at: number): number {
    this.#accept(this.#endPart())
    this.#state = HEADERS
    return at
  }

  #close (at: number): number {
    const name = this.#endPart()
    this.#accept(this.#named || this.#defaultModel === undefined ? name : this.#modelPart(this.#defaultModel))
    this.#state = CLOSED
    return at
  }

  /** Reads the name where the part that ends is the model's. Returns the default model where it is empty. */
  #endPart (): string | undefined {
    if (!this.#inModel) return undefined
    this.#inModel = false
    if (this.#text === '') return this.#defaultModel
    this.model = this.#text.length > MODEL_LIMIT ? null : Buffer.from(this.#text, 'latin1').toString()
    return undefined
  }

  #modelPart (model: string): string {
    const dashed = this.#delimiter.toString('latin1', CRLF.length)
    const part = `${dashed}\r\nContent-Disposition: form-data; name="model"\r\n\r\n${model}`
    // The CRLF before a delimiter belongs to it. A body that begins with its close
    // delimiter has none, and needs one behind the part.
    return this.#bare === 'body' ? `${part}\r\n` : `\r\n${part}`
  }

  #readHeaders (at: number): number {
    const chunk = this.#chunk
    if (this.#headersLength === 0 && at >= CRLF.length) {
      const from = at - CRLF.length
      const end = chunk.indexOf(HEADERS_END, from)
      if (end >= 0 && end - from <= HEADER_LIMIT) return this.#openPart(chunk.toString('latin1', from, end), end + HEADERS_END.length)
    }
    return this.#collectHeaders(at)
  }

  #collectHeaders (at: number): number {
    const headers = this.#headers ??= Buffer.allocUnsafeSlow(HEADER_LIMIT + HEADERS_END.length)
    if (this.#headersLength === 0) this.#headersLength = CRLF.copy(headers)
    const before = this.#headersLength
    this.#headersLength += this.#chunk.copy(headers, before, at)
    const end = headers.subarray(0, this.#headersLength).indexOf(HEADERS_END, Math.max(0, before - HEADERS_END.length + 1))
    if (end >= 0) {
      this.#headersLength = 0
      return this.#openPart(headers.toString('latin1', 0, end), at + end + HEADERS_END.length - before)
    }
    if (this.#headersLength === headers.length) throw invalid('The request body has a part whose headers are too long.')
    return this.#chunk.length
  }

  #openPart (block: string, at: number): number {
    const part = partOf(block)
    if (part !== 'other') {
      if (this.#named) throw new GatewayError('duplicate_model')
      this.#named = true
      if (part === 'model file') this.model = null
      else {
        this.#inModel = true
        this.#text = ''
      }
    }
    // RFC 2046 and Go read the empty line's CRLF as the beginning of a delimiter (a
    // part without content). python-multipart reads it as the beginning of the content.
    this.#bare = 'part'
    this.#candidate = true
    this.#start = at
    this.#matched = CRLF.length
    this.#state = SEARCH
    return at
  }

  /** Behind the close delimiter: python-multipart and busboy stop there, Go wants a whole line. */
  #readPadding (from: number): number {
    for (let at = from; at < this.#chunk.length; at++) {
      const byte = this.#chunk[at]!
      if (byte === CR || byte === LF) {
        this.#state = EPILOGUE
        return this.#chunk.length
      }
      if (byte !== SPACE && byte !== TAB) throw invalid('The request body has text on the line of its closing boundary.')
    }
    return this.#chunk.length
  }

  /** Content: kept where it is the model's name, one byte further than the limit. */
  #keep (bytes: Buffer, from: number, to: number): void {
    if (to <= from) return
    if (this.#preamble) this.#checkPreamble(bytes.subarray(from, to))
    if (!this.#inModel) return
    const room = MODEL_LIMIT + 1 - this.#text.length
    if (room > 0) this.#text += bytes.toString('latin1', from, Math.min(to, from + room))
  }

  /** python-multipart takes `--boundary` for the first delimiter in mid-line too. */
  #checkPreamble (bytes: Buffer): void {
    if (this.#strict && bytes.some(byte => byte !== CR && byte !== LF)) throw invalid('The request body has text before its first boundary.')
    const dashed = this.#delimiter.toString('latin1', CRLF.length)
    const seam = this.#text + bytes.toString('latin1', 0, dashed.length)
    if (seam.includes(dashed) || bytes.includes(dashed, 0, 'latin1')) throw invalid('The request body has its boundary in the preamble.')
    this.#text = (this.#text + bytes.toString('latin1', Math.max(0, bytes.length - dashed.length))).slice(1 - dashed.length)
  }
}
