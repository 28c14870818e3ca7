import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { Type, type ArrayOptions, type Static, type TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { ModelTypeSchema } from './models.ts'

// The shape alone: a row that somebody wrote into the table by hand was shown
// with an empty name as well.
const text = Type.String()
const id = Type.String({ minLength: 1 })
const known = { provider: Type.Optional(text), contextLength: Type.Optional(Type.Number()) }
const list = <T extends TSchema>(item: T, options?: ArrayOptions) => Type.Object({ origin: text, loadedAt: Type.Number(), value: Type.Array(item, options) })
const LISTS = {
  curated: list(Type.Object({ id, name: text, description: text, type: ModelTypeSchema, ...known, createdAt: Type.Optional(text), isActive: Type.Boolean() })),
  reported: list(Type.Object({ id, name: Type.Optional(text), description: Type.Optional(text), type: Type.Optional(ModelTypeSchema), ...known }), { minItems: 1 })
}
const HeadSchema = Type.Object({ format: Type.Literal(1) })

/** The last good lists, each with where it came from: another service's list is of no use. */
export type Snapshot = Static<typeof HeadSchema> & { [name in keyof typeof LISTS]?: Static<typeof LISTS[name]> }

const REWRITE_MS = 60_000

/** The file that keeps the last good lists over a restart. */
export class SnapshotFile {
  readonly #file: string
  readonly #onTrouble: (error: unknown) => void
  #wanted: Snapshot | undefined
  #writing: Promise<void> | undefined
  #written = { at: 0, content: '' }

  constructor (file: string, onTrouble: (error: unknown) => void) {
    this.#file = file
    this.#onTrouble = onTrouble
  }

  /** What an earlier process left behind: of each list, nothing where there is none that can be used. */
  async read (): Promise<Snapshot> {
    let snapshot: Snapshot
    try {
      snapshot = JSON.parse(await readFile(this.#file, 'utf8'))
      Value.Assert(HeadSchema, snapshot)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#onTrouble(error)
      return { format: 1 }
    }
    for (const name of ['curated', 'reported'] as const) {
      try {
        if (snapshot[name] !== undefined) Value.Assert(LISTS[name], snapshot[name])
      } catch (error) {
        this.#onTrouble(error)
        delete snapshot[name]
      }
    }
    return snapshot
  }

  /** Writes the lists where they differ from what is there; where only the dates do, now and then. */
  keep (snapshot: Snapshot): void {
    this.#wanted = snapshot
    this.#writing ??= this.#write().finally(() => { this.#writing = undefined })
  }

  /** Waits for what is being written. */
  async close (): Promise<void> {
    await this.#writing
  }

  async #write (): Promise<void> {
    while (this.#wanted !== undefined) {
      // Long lists take a while to serialise: requests that wait come first.
      await setImmediate()
      const snapshot = this.#wanted
      this.#wanted = undefined
      const { curated, reported } = snapshot
      const content = JSON.stringify([curated?.origin, curated?.value, reported?.origin, reported?.value])
      if (content === this.#written.content && Date.now() - this.#written.at < REWRITE_MS) continue
      this.#written = { at: Date.now(), content }
      await replace(this.#file, JSON.stringify(snapshot)).catch(this.#onTrouble)
    }
  }
}

/** In one piece: a crash leaves the old file or the new one, never half of one. */
async function replace (file: string, content: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  const draft = `${file}.${process.pid}`
  const handle = await open(draft, 'w', 0o600)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(draft, file)
}
