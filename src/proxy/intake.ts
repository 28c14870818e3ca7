import { Readable } from 'node:stream'
import { Spool } from '../body/spool.ts'
import { GatewayError } from '../errors.ts'
import type { ModelScanner } from '../body/scanner.ts'

/** Bodies up to this many bytes are held and sent with their length; larger ones stream. */
export const HOLD_LIMIT = 65536

/** Chunks of at least this many bytes are freed by hand. */
const FREED = 4096

const NOTHING: Buffer[] = []

/** What an {@link Intake} tells its exchange. At most one of the `on…Body` is called, once. */
export interface IntakeListener {
  /** The whole body is here and held. */
  onWholeBody (body: Buffer): void
  /** The body is larger than the hold: what is held, and the rest, come from `intake.stream()`. */
  onLargeBody (): void
  /** The whole body is on disk, since its model stood behind the hold and had to be known. */
  onSpooledBody (spool: Spool): void
  /** The body is refused: malformed, too large, or its encoding is broken. May come after `onLargeBody`. */
  onBodyError (error: GatewayError): void
}

/** How a request body is to be read. */
export interface IntakeOptions {
  readonly scanner: ModelScanner | undefined
  /** Largest body in bytes, as it comes and as decoded. */
  readonly limit: number
  /** Nothing may be passed on before the model is known. */
  readonly modelFirst: boolean
}

/**
 * Reads a request body through its scanner in constant memory: holds a small
 * one, streams a large one with backpressure.
 */
export class Intake {
  readonly #source: Readable
  readonly #scanner: ModelScanner | undefined
  readonly #limit: number
  readonly #modelFirst: boolean
  readonly #listener: IntakeListener
  #held: Buffer[] = []
  #heldBytes = 0
  #received = 0
  #encoded = 0
  #upload: Upload | undefined
  /** Chunks passed on that the upstream's socket may still be writing. */
  #passed: Buffer[] = []
  #isWritten: (() => boolean) | undefined
  #spool: Spool | undefined
  #ended = false
  #large = false

  /**
   * @param source the body as it is to be read
   * @param wire the body as it comes: `source`, or what `source` decodes
   */
  constructor (source: Readable, wire: Readable, { scanner, limit, modelFirst }: IntakeOptions, listener: IntakeListener) {
    this.#source = source
    this.#scanner = scanner
    this.#limit = limit
    this.#modelFirst = modelFirst && scanner !== undefined
    this.#listener = listener
    source.on('data', (chunk: Buffer) => this.#onData(chunk))
    source.on('end', () => this.#onEnd())
    source.on('error', cause => this.#refuse(new GatewayError('invalid_encoding', { cause })))
    // Empty blocks decode to nothing, without end.
    if (wire !== source) wire.on('data', (chunk: Buffer) => this.#count(chunk))
  }

  /** Bytes by which the sent body is longer than the received one, once that is certain; else undefined. */
  get delta (): number | undefined {
    if (this.#scanner === undefined) return 0
    return this.#scanner.settled ? this.#scanner.delta : undefined
  }

  /** All that has come is passed on, and more is to come: it is the client that is waited for. */
  get starved (): boolean { return !this.#ended && this.#upload?.readableLength === 0 }

  /**
   * What is held and what is still to come, for the upstream. After `onLargeBody`; again only if nothing was read from the one before.
   * @param isWritten whether all that was read from the stream has left the process: then its memory is freed at once. Absent where that is not to be known.
   */
  stream (isWritten: (() => boolean) | undefined): Readable {
    this.#isWritten = isWritten
    const upload = new Upload(this.#source)
    this.#upload = upload
    // More than the stream's own mark, so that it asks for none before it is read.
    for (const chunk of this.#held) upload.push(chunk)
    if (this.#ended) upload.push(null)
    return upload
  }

  /** Nothing more is wanted of the body. */
  stop (): void {
    if (!this.#ended) this.#source.removeAllListeners('data')
    this.#ended = true
    this.#held = []
    this.#upload = undefined
    this.#isWritten = undefined
    this.#passed = []
    this.#spool?.dispose()
  }

  #onData (chunk: Buffer): void {
    this.#received += chunk.length
    if (this.#received > this.#limit) return this.#refuseSize()
    this.#pass(chunk, false)
  }

  #count (encoded: Buffer): void {
    this.#encoded += encoded.length
    if (this.#encoded > this.#limit && !this.#ended) this.#refuseSize()
  }

  #refuseSize (): void {
    this.#refuse(new GatewayError('body_too_large', { message: `The request body is larger than ${this.#limit} bytes.` }))
  }

  #onEnd (): void {
    if (this.#ended) return
    this.#pass(undefined, true)
  }

  #pass (chunk: Buffer | undefined, last: boolean): void {
    if (this.#isWritten !== undefined) this.#free(chunk)
    try {
      for (const out of this.#scan(chunk)) {
        if (out.length > 0 && !this.#put(out)) this.#source.pause()
      }
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      return this.#refuse(error)
    }
    if (last) this.#finish()
    else if (!this.#large && this.#heldBytes > HOLD_LIMIT) this.#overflow()
  }

  #scan (chunk: Buffer | undefined): Buffer[] {
    if (this.#scanner === undefined) return chunk === undefined ? [] : [chunk]
    return chunk === undefined ? this.#scanner.end() : this.#scanner.write(chunk)
  }

  /** False: wait before the next. */
  #put (chunk: Buffer): boolean {
    if (this.#spool !== undefined) return this.#spool.write(chunk)
    if (this.#upload !== undefined) {
      this.#held = []
      return this.#upload.push(chunk)
    }
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    return this.#heldBytes <= HOLD_LIMIT
  }

  /**
   * Gives back the memory of chunks that have been written, and remembers the
   * one that comes next. Left to the garbage collector, which sees small objects
   * and not the 64 KB behind each, it would run a full collection every 30 MB:
   * a 10 MB upload took 25 ms of CPU where it takes 9, and 40 MB of memory.
   */
  #free (next: Buffer | undefined): void {
    if (this.#passed.length > 0 && this.#upload!.readableLength === 0 && this.#isWritten!()) {
      for (const { buffer } of this.#passed) (buffer as ArrayBuffer).transfer(0)
      this.#passed = []
    }
    // A chunk that has its memory to itself; scanners keep no view of it.
    if (next !== undefined && next.length >= FREED && next.length === next.buffer.byteLength) this.#passed.push(next)
  }

  #overflow (): void {
    this.#large = true
    if (this.#modelFirst && this.#scanner!.model === undefined) return this.#startSpool()
    this.#source.pause()
    this.#listener.onLargeBody()
  }

  #startSpool (): void {
    this.#spool = new Spool(
      () => { this.#source.resume() },
      cause => this.#refuse(new GatewayError('internal_error', { cause }))
    )
    for (const chunk of this.#held) this.#spool.write(chunk)
    this.#held = []
    this.#source.resume()
  }

  #finish (): void {
    this.#ended = true
    const spool = this.#spool
    if (spool !== undefined) spool.end(() => this.#listener.onSpooledBody(spool))
    else if (this.#upload !== undefined) this.#upload.push(null)
    else if (!this.#large) {
      const held = this.#held
      this.#held = NOTHING
      this.#listener.onWholeBody(held.length === 1 ? held[0]! : Buffer.concat(held, this.#heldBytes))
    }
  }

  #refuse (error: GatewayError): void {
    this.stop()
    this.#listener.onBodyError(error)
  }
}

/** The upstream's side of a large body. Destroying it leaves the client's request alone, which still wants an answer. */
class Upload extends Readable {
  readonly #source: Readable

  constructor (source: Readable) {
    super({ highWaterMark: HOLD_LIMIT })
    this.#source = source
  }

  override _read (): void {
    this.#source.resume()
  }
}
