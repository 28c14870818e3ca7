import { Readable } from 'node:stream'
import { GatewayError } from '../errors.ts'
import { edited, type BodyEdit, type ModelScanner } from './scanner.ts'
import type { Spool, SpoolSpace } from './spool.ts'

/** Bytes of a body that are kept in memory; a larger body is stored on disk. */
export const MEMORY_LIMIT = 262144

/** Bytes of a body that may stay in memory until its answer is complete. */
const KEPT_LIMIT = 16384

/** Bytes that a chunk costs besides its content: a body can arrive in chunks of one byte. */
const CHUNK_COST = 256

/** A request body that has arrived whole. */
export interface RequestBody {
  /** Bytes that go upstream. */
  readonly length: number
  /** The bytes that go upstream; may be called again after a failed connect. */
  read (): Buffer | Readable
  /** The body is no longer needed. */
  dispose (): void
}

/** How a body is received. */
export interface ReceiveOptions {
  /** Where the body comes from: the request, or the decoder that reads it. */
  readonly source: Readable
  /** The body as it was sent: `source`, or what `source` decodes. */
  readonly wire: Readable
  /** Undefined: the body is not read. */
  readonly scanner: ModelScanner | undefined
  /** Greatest size in bytes, as sent and as decoded. */
  readonly limit: number
  readonly space: SpoolSpace
  /** Aborts where the client leaves. */
  readonly signal: AbortSignal
}

/**
 * Reads a request body to its end, scans it as it arrives and stores it: up to
 * {@link MEMORY_LIMIT} in memory, a larger one in a file.
 * @throws GatewayError where the body is refused; the signal's reason where it aborts
 */
export async function receiveBody (options: ReceiveOptions): Promise<RequestBody> {
  return await new Receiver(options).body
}

class Receiver {
  readonly body: Promise<RequestBody>
  readonly #options: ReceiveOptions
  readonly #settle: PromiseWithResolvers<RequestBody> = Promise.withResolvers()
  #chunks: Buffer[] = []
  #inMemory = 0
  #received = 0
  #onWire = 0
  #spool: Spool | undefined
  /** The write to disk that is under way. */
  #writing: Promise<void> | undefined
  #ended = false

  constructor (options: ReceiveOptions) {
    this.#options = options
    this.body = this.#settle.promise
    const { source, wire, signal } = options
    if (signal.aborted || wire.destroyed) {
      this.#fail(signal.aborted ? signal.reason : new Error('the request broke off'))
      return
    }
    source.on('data', this.#onData)
    source.on('end', this.#onEnd)
    source.on('error', this.#onError)
    // Empty blocks of a compressed body decode to nothing, without end.
    if (wire !== source) wire.on('data', this.#onWireData)
    signal.addEventListener('abort', this.#onAbort)
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#received += chunk.length
    if (this.#received > this.#options.limit) return this.#fail(tooLarge(this.#options.limit))
    try {
      this.#options.scanner?.write(chunk)
    } catch (error) {
      return this.#fail(error)
    }
    this.#chunks.push(chunk)
    this.#inMemory += chunk.length + CHUNK_COST
    if (this.#inMemory > MEMORY_LIMIT) this.#store()
  }

  readonly #onWireData = (chunk: Buffer): void => {
    this.#onWire += chunk.length
    if (this.#onWire > this.#options.limit) this.#fail(tooLarge(this.#options.limit))
  }

  readonly #onEnd = (): void => {
    this.#finish().catch(error => this.#fail(error))
  }

  readonly #onError = (cause: Error): void => this.#fail(new GatewayError('invalid_encoding', { cause }))

  readonly #onAbort = (): void => this.#fail(this.#options.signal.reason)

  /** Moves what is in memory to disk. Nothing more is read meanwhile. */
  #store (): void {
    const { source } = this.#options
    source.pause()
    this.#writing = this.#append().then(() => {
      this.#writing = undefined
      if (!this.#ended) source.resume()
    })
    this.#writing.catch(error => this.#fail(error))
  }

  async #append (): Promise<void> {
    const chunks = this.#chunks
    this.#chunks = []
    this.#inMemory = 0
    if (this.#spool === undefined) {
      const spool = await this.#options.space.create()
      if (this.#ended) return spool.dispose()
      this.#spool = spool
    }
    await this.#spool.append(chunks)
  }

  async #finish (): Promise<void> {
    const { scanner } = this.#options
    scanner?.end()
    await this.#writing
    if (this.#spool !== undefined) await this.#append()
    if (this.#ended) return
    this.#stop()
    const chunks = this.#chunks
    // The request's listener for errors keeps this object until the answer is complete.
    this.#chunks = []
    this.#settle.resolve(this.#spool === undefined
      ? memoryBody(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks), scanner?.edit)
      : diskBody(this.#spool, scanner?.edit))
  }

  #fail (error: unknown): void {
    if (this.#ended) return
    this.#stop()
    this.#chunks = []
    const { source, wire } = this.#options
    if (wire !== source) {
      // Left piped, the decoder's end would pause the request, which is still to be read to its end.
      wire.unpipe()
      source.destroy()
    }
    const dispose = () => this.#spool?.dispose()
    if (this.#writing === undefined) dispose()
    else this.#writing.then(dispose, dispose)
    this.#settle.reject(error)
  }

  #stop (): void {
    this.#ended = true
    const { source, wire, signal } = this.#options
    source.off('data', this.#onData)
    source.off('end', this.#onEnd)
    wire.off('data', this.#onWireData)
    signal.removeEventListener('abort', this.#onAbort)
  }
}

/** The error of a body that is larger than `BODY_LIMIT`. */
export function tooLarge (limit: number): GatewayError {
  return new GatewayError('body_too_large', { message: `The request body is larger than ${limit} bytes.` })
}

function memoryBody (body: Buffer, edit: BodyEdit | undefined): RequestBody {
  const whole = edited(body, edit)
  return whole.length > KEPT_LIMIT ? largeMemoryBody(whole) : { length: whole.length, read: () => whole, dispose: () => {} }
}

/**
 * Goes upstream as a stream, which lets go of the bytes when they are sent. undici
 * keeps a Buffer until the answer is complete: a long prompt for as long as its
 * stream runs.
 */
function largeMemoryBody (whole: Buffer): RequestBody {
  let unsent: Buffer | undefined = whole
  const read = () => new Readable({
    read () {
      this.push(unsent)
      this.push(null)
      unsent = undefined
    }
  })
  return { length: whole.length, read, dispose: () => { unsent = undefined } }
}

function diskBody (spool: Spool, edit: BodyEdit | undefined): RequestBody {
  const length = spool.length + (edit === undefined ? 0 : edit.inserted.length - edit.removed)
  return { length, read: () => spool.read(edit), dispose: () => spool.dispose() }
}
