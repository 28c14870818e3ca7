import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, extname, join, parse } from 'node:path'
import { createHash, randomUUID } from 'node:crypto'
import { Type, type ArrayOptions, type Static, type TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { CapabilitiesSchema, CURATED_FIELDS, MODEL_TYPES, ModelTypeSchema, type CuratedModel } from './models.ts'
import type { ReportedModel } from './reported.ts'

// Checks the shape only: rows inserted by hand may have an empty name.
const text = Type.String()
const id = Type.String({ minLength: 1 })
const known = { provider: Type.Optional(text), contextLength: Type.Optional(Type.Number()), capabilities: Type.Optional(CapabilitiesSchema) }
const kind = Type.Union([...MODEL_TYPES, 'other'].map(kind => Type.Literal(kind)))
const set = Type.Array(Type.Union(CURATED_FIELDS.map(field => Type.Literal(field))))
const list = <T extends TSchema>(item: T, options?: ArrayOptions) => Type.Object({ origin: text, loadedAt: Type.Number(), value: Type.Array(item, options) })
const LISTS = {
  curated: list(Type.Object({ id, name: text, description: text, type: ModelTypeSchema, ...known, createdAt: Type.Optional(text), isActive: Type.Boolean(), set: Type.Optional(set) })),
  reported: list(Type.Object({ id, name: Type.Optional(text), description: Type.Optional(text), type: Type.Optional(kind), ...known }), { minItems: 1 })
}
const HeadSchema = Type.Object({ format: Type.Literal(1) })

type Name = keyof typeof LISTS
const NAMES = Object.keys(LISTS) as Name[]

interface KeptList<T> {
  origin: string
  loadedAt: number
  value: readonly T[]
}

/** The last good lists, each with its origin: the list of another service is not used. */
export interface Snapshot extends Static<typeof HeadSchema> {
  curated?: KeptList<CuratedModel>
  reported?: KeptList<ReportedModel>
}

/** The origin of each list of this gateway. */
export type Origins = Partial<Record<Name, string>>

/** If only the dates change, the snapshot is written again after this time (milliseconds). */
const REWRITE_MS = 60_000
/** First pause before a failed write is retried; it doubles each time (milliseconds). */
const RETRY_MS = { first: 500, last: 60_000 }
/** A draft of this age is abandoned, also if another process has its id (milliseconds). */
const OLD_DRAFT_MS = 3600_000
/** Models that are written at a time. */
const CHUNK = 200

/**
 * The file that keeps the last good lists for the next start. Gateways in one
 * folder do not overwrite each other's lists: if the file holds lists of another
 * origin, this gateway uses a file beside it, named by its origin.
 */
export class SnapshotFile {
  readonly #file: string
  readonly #ownFile: string
  readonly #origins: Origins
  readonly #onTrouble: (error: unknown) => void
  #wanted: Snapshot | undefined
  #writing: Promise<void> | undefined
  #written: { at: number, snapshot: Snapshot } | undefined
  /** The file's version after this process wrote it. If it is unchanged, no other process has written the file. */
  #ownVersion: string | undefined
  #retry: NodeJS.Timeout | undefined
  #failures = 0
  #closed = false
  /** The curated list that was read, until {@link release}. */
  #lastCurated: KeptList<CuratedModel> | undefined

  /** @param origins of this gateway's lists @param onTrouble called for each file that cannot be read or written */
  constructor (file: string, onTrouble: (error: unknown) => void, origins: Origins = {}) {
    this.#file = file
    const extension = extname(file)
    const digest = createHash('sha256').update(JSON.stringify(NAMES.map(name => origins[name] ?? null))).digest('hex').slice(0, 8)
    this.#ownFile = `${file.slice(0, file.length - extension.length)}.${digest}${extension}`
    this.#origins = origins
    this.#onTrouble = onTrouble
  }

  /** The usable lists of an earlier process. */
  async read (): Promise<Snapshot> {
    await this.#removeDrafts()
    const [shared, own] = [await this.#readFrom(this.#file), await this.#readFrom(this.#ownFile)]
    const snapshot: Snapshot = { format: 1, ...shared }
    for (const name of NAMES) {
      // Either of the two files may hold the newer list, because a gateway can change from one to the other.
      const lists = [shared[name], own[name]].filter(list => list?.origin === this.#origins[name]).toSorted((a, b) => (b?.loadedAt ?? 0) - (a?.loadedAt ?? 0))
      if (lists[0] !== undefined) Object.assign(snapshot, { [name]: lists[0] })
    }
    this.#lastCurated = snapshot.curated?.origin === this.#origins.curated ? snapshot.curated : undefined
    return snapshot
  }

  /**
   * Writes the curated list that {@link read} found into a file of its own, which
   * later lists do not overwrite. @returns its path; undefined if no list was found
   */
  async setAside (): Promise<string | undefined> {
    if (this.#lastCurated === undefined) return undefined
    const { dir, name, ext } = parse(this.#file)
    const file = join(dir, `${name}.kept-${new Date().toISOString().replace(/[-:.]/g, '')}${ext}`)
    await replace(file, { format: 1, curated: this.#lastCurated })
    return file
  }

  /** Frees the memory of the list for {@link setAside}. */
  release (): void {
    this.#lastCurated = undefined
  }

  /** Writes the lists if they have changed; if only their dates have, at intervals. */
  keep (snapshot: Snapshot): void {
    this.#wanted = snapshot
    clearTimeout(this.#retry)
    this.#writing ??= this.#write().finally(() => { this.#writing = undefined })
  }

  /** Waits for the write under way, and retries a failed one once. */
  async close (): Promise<void> {
    this.#closed = true
    clearTimeout(this.#retry)
    await this.#writing
    if (this.#wanted !== undefined) this.keep(this.#wanted)
    await this.#writing
  }

  async #write (): Promise<void> {
    while (this.#wanted !== undefined) {
      const snapshot = this.#wanted
      this.#wanted = undefined
      if (this.#written !== undefined && sameContent(this.#written.snapshot, snapshot) && Date.now() - this.#written.at < REWRITE_MS) continue
      try {
        const file = await this.#target()
        await replace(file, snapshot)
        if (file === this.#file) this.#ownVersion = await versionOf(file)
        this.#written = { at: Date.now(), snapshot }
        this.#failures = 0
      } catch (error) {
        this.#onTrouble(error)
        this.#wanted ??= snapshot
        this.#retryLater()
        return
      }
    }
  }

  #retryLater (): void {
    if (this.#closed) return
    const pause = Math.min(RETRY_MS.last, RETRY_MS.first * 2 ** this.#failures++)
    this.#retry = setTimeout(() => { if (this.#wanted !== undefined) this.keep(this.#wanted) }, pause).unref()
  }

  /** The file itself, or the one beside it if another gateway uses the file. */
  async #target (): Promise<string> {
    if (this.#ownVersion !== undefined && await versionOf(this.#file) === this.#ownVersion) return this.#file
    const { curated, reported } = await readJson(this.#file).catch(() => ({})) as Snapshot
    const isForeign = (name: Name, list: KeptList<unknown> | undefined) => typeof list?.origin === 'string' && list.origin !== this.#origins[name]
    return isForeign('curated', curated) || isForeign('reported', reported) ? this.#ownFile : this.#file
  }

  async #readFrom (file: string): Promise<Omit<Snapshot, 'format'>> {
    let snapshot: Snapshot
    try {
      snapshot = await readJson(file) as Snapshot
      Value.Assert(HeadSchema, snapshot)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#onTrouble(error)
      return {}
    }
    const { curated, reported } = snapshot
    const usable = <N extends Name>(name: N, list: Snapshot[N]) => {
      try {
        if (list !== undefined) Value.Assert(LISTS[name], list)
        return list
      } catch (error) {
        this.#onTrouble(error)
        return undefined
      }
    }
    const lists = { curated: usable('curated', curated), reported: usable('reported', reported) }
    return Object.fromEntries(Object.entries(lists).filter(([, list]) => list !== undefined))
  }

  /** Removes the drafts of processes that were killed while they wrote. */
  async #removeDrafts (): Promise<void> {
    const folder = dirname(this.#file)
    const names = await readdir(folder).catch(() => [])
    for (const name of names) {
      const draft = [this.#file, this.#ownFile].map(file => basename(file)).find(base => name.startsWith(`${base}.`))
      const pid = draft === undefined ? NaN : Number(name.slice(draft.length + 1).split('-', 1)[0])
      if (!Number.isSafeInteger(pid) || pid <= 0) continue
      const path = join(folder, name)
      if (!isRunning(pid) || await isOld(path)) await rm(path, { force: true }).catch(this.#onTrouble)
    }
  }
}

function sameContent (a: Snapshot, b: Snapshot): boolean {
  // Equal lists are the same array, which the catalog keeps.
  return NAMES.every(name => a[name]?.value === b[name]?.value)
}

/** Identifies a version of a file; undefined if there is no file. */
async function versionOf (file: string): Promise<string | undefined> {
  const found = await stat(file, { bigint: true }).catch(() => undefined)
  return found === undefined ? undefined : `${found.ino} ${found.mtimeNs} ${found.size}`
}

async function readJson (file: string): Promise<unknown> {
  return JSON.parse(await readFile(file, 'utf8'))
}

/** Whether a process of that id runs, other than this one. */
function isRunning (pid: number): boolean {
  if (pid === process.pid) return false
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function isOld (path: string): Promise<boolean> {
  const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: 0 }))
  return Date.now() - mtimeMs > OLD_DRAFT_MS
}

/** Atomic: a crash leaves the old file or the new one. */
async function replace (file: string, snapshot: Snapshot): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  // Containers that share the folder may have the same process id.
  const draft = `${file}.${process.pid}-${randomUUID()}`
  try {
    const handle = await open(draft, 'wx', 0o600)
    try {
      await handle.writeFile(textOf(snapshot))
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(draft, file)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
}

/** The JSON in pieces, because serialising a long list at once would block the event loop. */
function * textOf ({ format, ...lists }: Snapshot): Generator<string> {
  yield `{"format":${format}`
  for (const [name, { value, ...head }] of Object.entries(lists) as Array<[Name, KeptList<unknown>]>) {
    yield `,${JSON.stringify(name)}:${JSON.stringify(head).slice(0, -1)},"value":[`
    for (let at = 0; at < value.length; at += CHUNK) yield `${at === 0 ? '' : ','}${value.slice(at, at + CHUNK).map(model => JSON.stringify(model)).join(',')}`
    yield ']}'
  }
  yield '}'
}
