import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { Type, type Static } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { ModelSchema, ModelTypeSchema } from './models.ts'

const CuratedSchema = Type.Object({ ...ModelSchema.properties, isActive: Type.Boolean() })
const ReportedSchema = Type.Object({
  id: Type.String({ minLength: 1 }),
  name: Type.Optional(Type.String()),
  description: Type.Optional(Type.String()),
  type: Type.Optional(ModelTypeSchema),
  provider: Type.Optional(Type.String()),
  contextLength: Type.Optional(Type.Integer())
})
const SnapshotSchema = Type.Object({
  format: Type.Literal(1),
  curated: Type.Optional(Type.Object({ origin: Type.String(), loadedAt: Type.Number(), value: Type.Array(CuratedSchema) })),
  reported: Type.Optional(Type.Object({ origin: Type.String(), loadedAt: Type.Number(), value: Type.Array(ReportedSchema, { minItems: 1 }) }))
})

/** The last good lists, each with where it came from: another service's list is of no use. */
export type Snapshot = Static<typeof SnapshotSchema>

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

  /** What an earlier process left behind; nothing where there is no file, or none that can be used. */
  async read (): Promise<Snapshot> {
    try {
      const snapshot: unknown = JSON.parse(await readFile(this.#file, 'utf8'))
      Value.Assert(SnapshotSchema, snapshot)
      return snapshot
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#onTrouble(error)
      return { format: 1 }
    }
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
