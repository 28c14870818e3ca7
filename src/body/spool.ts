import { randomUUID } from 'node:crypto'
import { open, unlink, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'

/** Bytes of one read. */
const READ = 65536

/**
 * A body on disk: for one too large to hold, of which nothing may be passed on
 * before all of it has been seen. The file has no name from the moment it is
 * open, so that not even a killed process leaves it behind.
 *
 * The file is this class's alone: Node's file streams would close it as they are
 * destroyed (`autoClose: false` does not keep them from it), while a FileHandle
 * waits with its close for reads under way, and afterwards refuses them. A bare
 * descriptor's number may be another client's body by then.
 */
export class Spool {
  readonly #file: Writable
  #handle: FileHandle | undefined
  #length = 0

  /**
   * @param onDrain more may be written
   * @param onError the disk failed, for example is full
   */
  constructor (onDrain: () => void, onError: (error: Error) => void) {
    this.#file = new Writable({
      // Ended, it is still to be read.
      autoDestroy: false,
      construct: done => { this.#open().then(() => done(), done) },
      write: (chunk: Buffer, _, done) => { this.#handle!.writeFile(chunk).then(() => done(), done) },
      destroy: (error, done) => { Promise.resolve(this.#handle?.close()).then(() => done(error), done) }
    })
    this.#file.on('drain', onDrain)
    this.#file.on('error', onError)
  }

  /** Bytes written. */
  get length (): number { return this.#length }

  /** False: wait for `onDrain` before the next. */
  write (chunk: Buffer): boolean {
    this.#length += chunk.length
    return this.#file.write(chunk)
  }

  /** All is written; calls back when it can be read. */
  end (done: () => void): void {
    this.#file.end(done)
  }

  /** The whole body, from its first byte; any number of times. */
  read (): Readable {
    return Readable.from(this.#chunks(), { objectMode: false })
  }

  /** Gives the disk space back. */
  dispose (): void {
    this.#file.destroy()
  }

  async #open (): Promise<void> {
    const path = join(tmpdir(), `model-gateway-${randomUUID()}`)
    this.#handle = await open(path, 'wx+', 0o600)
    await unlink(path)
  }

  async * #chunks (): AsyncGenerator<Buffer> {
    for (let at = 0; at < this.#length;) {
      const { bytesRead, buffer } = await this.#handle!.read(Buffer.allocUnsafe(READ), 0, READ, at)
      if (bytesRead === 0) throw new Error('the file is shorter than what was written')
      at += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  }
}
