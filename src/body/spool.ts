import { randomUUID } from 'node:crypto'
import { accessSync, constants } from 'node:fs'
import { open, unlink, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { ConfigError } from '../config.ts'
import { GatewayError } from '../errors.ts'
import type { BodyEdit } from './scanner.ts'

/** Bytes of one read. */
const READ_SIZE = 65536

/**
 * The folder that `SPOOL_DIR` names. It is checked at the start, because otherwise only
 * the first large body shows the mistake.
 * @throws ConfigError where no file can be created there
 */
export function spoolFolder (folder: string): string {
  try {
    // The last part makes a file an error.
    accessSync(`${folder}/.`, constants.W_OK | constants.X_OK)
    return folder
  } catch (error) {
    throw new ConfigError([`SPOOL_DIR ${folder}${reasonOf(error) ?? `: ${(error as Error).message}`}`])
  }
}

/** Where large bodies are stored, and how many bytes of them there are now. */
export class SpoolSpace {
  readonly #folder: string
  readonly #limit: number
  #files = 0
  #bytes = 0

  /**
   * @param folder undefined: the system's folder for temporary files
   * @param limit bytes of all files together
   */
  constructor (folder: string | undefined, limit: number) {
    this.#folder = folder ?? tmpdir()
    this.#limit = limit
  }

  /** Files that are open now. */
  get files (): number { return this.#files }
  /** Bytes in all of them. */
  get bytes (): number { return this.#bytes }

  /**
   * Opens a file without a name: it is unlinked at once, so that a process that
   * is killed leaves nothing behind.
   * @throws GatewayError storage_full
   */
  async create (): Promise<Spool> {
    const path = join(this.#folder, `model-gateway-${randomUUID()}`)
    let spool: Spool | undefined
    try {
      spool = new Spool(await open(path, 'wx+', 0o600), this)
      this.#files++
      await unlink(path)
      return spool
    } catch (cause) {
      spool?.dispose()
      throw diskError(cause)
    }
  }

  /** @throws GatewayError storage_full where the limit would be passed */
  reserve (bytes: number): void {
    if (this.#bytes + bytes > this.#limit) {
      throw new GatewayError('storage_full', { message: 'The request bodies that are stored on disk have reached their limit.', headers: { 'retry-after': '1' } })
    }
    this.#bytes += bytes
  }

  /** A file of that many bytes was closed. */
  release (bytes: number): void {
    this.#files--
    this.#bytes -= bytes
  }
}

/**
 * One body on disk. It uses its own FileHandle and no file stream: Node's file
 * streams close the file when they are destroyed, with `autoClose: false` too,
 * and by then the descriptor's number may belong to another file.
 */
export class Spool {
  readonly #handle: FileHandle
  readonly #space: SpoolSpace
  #length = 0
  #disposed = false

  constructor (handle: FileHandle, space: SpoolSpace) {
    this.#handle = handle
    this.#space = space
  }

  /** Bytes written. */
  get length (): number { return this.#length }

  /** @throws GatewayError storage_full */
  async append (chunks: readonly Buffer[]): Promise<void> {
    const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    if (size === 0) return
    this.#space.reserve(size)
    this.#length += size
    const bytesWritten = await this.#write(chunks)
    // A regular file takes less than it is given only where the disk is full.
    if (bytesWritten !== size) throw diskError({ code: 'ENOSPC' })
  }

  async #write (chunks: readonly Buffer[]): Promise<number> {
    try {
      return (await this.#handle.writev(chunks)).bytesWritten
    } catch (cause) {
      throw diskError(cause)
    }
  }

  /** The whole body with its edit, from the first byte. */
  read (edit: BodyEdit | undefined): Readable {
    return Readable.from(this.#edited(edit), { objectMode: false })
  }

  /** Gives the disk space back. A read that is under way ends first. */
  dispose (): void {
    if (this.#disposed) return
    this.#disposed = true
    this.#space.release(this.#length)
    this.#handle.close().catch(() => {})
  }

  async * #edited (edit: BodyEdit | undefined): AsyncGenerator<Buffer> {
    if (edit === undefined) return yield * this.#bytes(0, this.#length)
    yield * this.#bytes(0, edit.position)
    yield edit.inserted
    yield * this.#bytes(edit.position + edit.removed, this.#length)
  }

  async * #bytes (from: number, to: number): AsyncGenerator<Buffer> {
    for (let at = from; at < to;) {
      const { bytesRead, buffer } = await this.#handle.read(Buffer.allocUnsafe(READ_SIZE), 0, Math.min(READ_SIZE, to - at), at)
      if (bytesRead === 0) throw new Error('the file is shorter than what was written')
      at += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  }
}

function diskError (cause: unknown): GatewayError {
  return new GatewayError('storage_full', { message: `The request body cannot be stored on disk${reasonOf(cause) ?? ''}.`, cause, headers: { 'retry-after': '5' } })
}

const reasonOf = (error: unknown): string | undefined => REASONS[(error as NodeJS.ErrnoException).code ?? '']

const REASONS: Record<string, string> = {
  ENOSPC: ': the disk is full',
  EDQUOT: ': the disk quota is used up',
  EROFS: ': the disk is read-only',
  EACCES: ': the folder cannot be written to',
  ENOENT: ': the folder does not exist',
  ENOTDIR: ': it is not a folder',
  EMFILE: ': too many files are open',
  ENFILE: ': too many files are open'
}
