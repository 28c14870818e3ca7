import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { createHash } from 'node:crypto'
import { Type, type ArrayOptions, type Static, type TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { CapabilitiesSchema, CURATED_FIELDS, MODEL_TYPES, ModelTypeSchema, type CuratedModel } from './models.ts'
import type { ReportedModel } from './reported.ts'

// The shape alone: a row that somebody wrote into the table by hand was shown
// with an empty name as well.
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

/** The last good lists, each with where it came from: another service's list is of no use. */
export interface Snapshot extends Static<typeof HeadSchema> {
  curated?: KeptList<CuratedModel>
  reported?: KeptList<ReportedModel>
}

/** Where each list comes from; a list that the gateway does not have is absent. */
export type Origins = Partial<Record<Name, string>>

/** A snapshot in which nothing but the dates changes is written again after this time (milliseconds). */
const REWRITE_MS = 60_000
/** A failed write is tried again after this time, and then each time after twice the time (milliseconds). */
const RETRY_MS = { first: 500, last: 60_000 }
/** A draft as old as this is no longer being written, whoever has its process id now (milliseconds). */
const OLD_DRAFT_MS = 3600_000
/** How many models are written at a time. */
const CHUNK = 200

/**
 * The file that keeps the last good lists over a restart. Gateways that share a
 * folder do not overwrite each other's: where the file holds lists of another
 * origin, this gateway's lists are kept beside it, in a file named by their origin.
 */
export class SnapshotFile {
  readonly #file: string
  readonly #ownFile: string
  readonly #origins: Origins
  readonly #onTrouble: (error: unknown) => void
  #wanted: Snapshot | undefined
  #writing: Promise<void> | undefined
  #written: { at: number, snapshot: Snapshot } | undefined
  #retry: NodeJS.Timeout | undefined
  #failures = 0
  #closed = false

  /** `origins`: where the lists of this gateway come from; `onTrouble` is told of each file that cannot be read or written. */
  constructor (file: string, onTrouble: (error: unknown) => void, origins: Origins = {}) {
    this.#file = file
    const extension = extname(file)
    const digest = createHash('sha256').update(JSON.stringify(NAMES.map(name => origins[name] ?? null))).digest('hex').slice(0, 8)
    this.#ownFile = `${file.slice(0, file.length - extension.length)}.${digest}${extension}`
    this.#origins = origins
    this.#onTrouble = onTrouble
  }

  /** What an earlier process left behind: of each list, nothing where there is none that can be used. */
  async read (): Promise<Snapshot> {
    await this.#removeDrafts()
    const [shared, own] = [await this.#readFrom(this.#file), await this.#readFrom(this.#ownFile)]
    const snapshot: Snapshot = { format: 1, ...shared }
    for (const name of NAMES) {
      // Each of the two may hold the newer one: a gateway moves from the one file to the other.
      const lists = [shared[name], own[name]].filter(list => list?.origin === this.#origins[name]).toSorted((a, b) => (b?.loadedAt ?? 0) - (a?.loadedAt ?? 0))
      if (lists[0] !== undefined) Object.assign(snapshot, { [name]: lists[0] })
    }
    return snapshot
  }

  /** Writes the lists where they differ from what is there; where only the dates do, now and then. */
  keep (snapshot: Snapshot): void {
    this.#wanted = snapshot
    clearTimeout(this.#retry)
    this.#writing ??= this.#write().finally(() => { this.#writing = undefined })
  }

  /** Waits for what is being written, and tries once more what could not be written. */
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
        await replace(await this.#target(), snapshot)
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

  /** The file itself, unless another gateway keeps its lists there. */
  async #target (): Promise<string> {
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

  /** A process that was killed while it wrote leaves its draft behind. */
  async #removeDrafts (): Promise<void> {
    const folder = dirname(this.#file)
    const names = await readdir(folder).catch(() => [])
    for (const name of names) {
      const draft = [this.#file, this.#ownFile].map(file => basename(file)).find(base => name.startsWith(`${base}.`))
      const pid = draft === undefined ? NaN : Number(name.slice(draft.length + 1))
      if (!Number.isSafeInteger(pid) || pid <= 0) continue
      const path = join(folder, name)
      if (!isRunning(pid) || await isOld(path)) await rm(path, { force: true }).catch(this.#onTrouble)
    }
  }
}

function sameContent (a: Snapshot, b: Snapshot): boolean {
  // Lists that say the same are the same array: the catalog keeps it.
  return NAMES.every(name => a[name]?.value === b[name]?.value)
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

/** In one piece: a crash leaves the old file or the new one, never half of one. */
async function replace (file: string, snapshot: Snapshot): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const draft = `${file}.${process.pid}`
  const handle = await open(draft, 'w', 0o600)
  try {
    await handle.writeFile(textOf(snapshot))
    await handle.sync()
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  } finally {
    await handle.close()
  }
  await rename(draft, file)
}

/** The JSON in pieces: a long list as one text would hold up the event loop. */
function * textOf ({ format, ...lists }: Snapshot): Generator<string> {
  yield `{"format":${format}`
  for (const [name, { value, ...head }] of Object.entries(lists) as Array<[Name, KeptList<unknown>]>) {
    yield `,${JSON.stringify(name)}:${JSON.stringify(head).slice(0, -1)},"value":[`
    for (let at = 0; at < value.length; at += CHUNK) yield `${at === 0 ? '' : ','}${value.slice(at, at + CHUNK).map(model => JSON.stringify(model)).join(',')}`
    yield ']}'
  }
  yield '}'
}
