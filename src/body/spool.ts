import { close, createReadStream, createWriteStream, unlink, type WriteStream } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'

/**
 * A body on disk: for one too large to hold, of which nothing may be passed on
 * before all of it has been seen. The file has no name from the moment it is
 * open, so that not even a killed process leaves it behind.
 */
export class Spool {
  readonly #file: WriteStream
  #length = 0
  #descriptor: number | undefined
  #disposed = false

  /**
   * @param onDrain more may be written
   * @param onError the disk failed, for example is full
   */
  constructor (onDrain: () => void, onError: (error: Error) => void) {
    const path = join(tmpdir(), `model-gateway-${randomUUID()}`)
    this.#file = createWriteStream(path, { flags: 'wx+', mode: 0o600, autoClose: false })
    this.#file.on('open', descriptor => {
      this.#descriptor = descriptor
      unlink(path, () => {})
      if (this.#disposed) this.#close()
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
    return createReadStream('', { fd: this.#descriptor!, start: 0, end: Math.max(0, this.#length - 1), autoClose: false })
  }

  /** Gives the disk space back. */
  dispose (): void {
    if (this.#disposed) return
    this.#disposed = true
    this.#file.destroy()
    if (this.#descriptor !== undefined) this.#close()
  }

  #close (): void {
    close(this.#descriptor!, () => {})
  }
}
