import { setImmediate } from 'node:timers/promises'
import { sql, type Kysely, type Transaction } from 'kysely'
import { GatewayError } from '../errors.ts'
import { pruneAudit, readAudit, type AuditEntry, type AuditPosition } from './audit.ts'
import { changeOf, editOf, type Change } from './changes.ts'
import type { Engine } from './engine.ts'
import { failureKind, StoreFailure } from './failure.ts'
import { databaseIdentity } from './identity.ts'
import { postgresEngine } from './postgres.ts'
import { inOrder, MOST_MODELS, placedRecord, rowOf, settled, type ModelDraft, type ModelRecord, type PlacedRecord } from './records.ts'
import { isPrepared, migrate, type ModelRow, type Tables } from './schema.ts'
import { sqliteEngine } from './sqlite.ts'

/** A consistent copy of the whole table. */
export interface Contents {
  revision: number
  /** In catalog order. */
  placed: PlacedRecord[]
}

/** The result of an edit of one model. */
interface Edited {
  revision: number
  /** The whole content after it; undefined if the content before it is not known, because another process has edited it. */
  contents: Contents | undefined
}

/** Settings of a store. */
export interface StoreOptions {
  /** Days after which audit entries are not shown any more, and are removed by a later edit. */
  auditDays: number
}

// A statement takes 32,766 parameters in SQLite and 65,535 in PostgreSQL.
const CHUNK = 250
/** Entries after which the audit is pruned, and the time (milliseconds). */
const PRUNE = { entries: 1000, after: 3600_000 }

/**
 * The models table and its audit, in either engine. Database errors are thrown as
 * StoreFailure; errors of an edit pass unchanged.
 */
export class ModelStore {
  readonly #engine: Engine
  readonly #identity: string
  readonly #auditDays: number
  /** The content as last read, or as computed by the last edit. */
  #copy: Contents | undefined
  /** Whether the copy is the unread result of an edit. */
  #fresh = false
  /** The revision of the last edit by this process. */
  #edited = -1
  /** Number of refresh requests to all replicas, including this process's last one. */
  #refreshed = 0
  #unpruned = { entries: Infinity, since: 0 }

  constructor (engine: Engine, identity: string, { auditDays }: StoreOptions) {
    this.#engine = engine
    this.#identity = identity
    this.#auditDays = auditDays
  }

  /**
   * New connections log in by that URL: a password can be replaced without a restart.
   * @throws Error if it names another database
   */
  useUrl (url: string): void {
    if (databaseIdentity(url) !== this.#identity) throw new Error('DATABASE_URL names another database. This takes effect at the next start.')
    this.#engine.useUrl?.(url)
  }

  /** The revision that this process last read or wrote. An edit after one of another process leaves the copy behind it. */
  get revision (): number | undefined {
    return this.#copy && Math.max(this.#copy.revision, this.#edited)
  }

  /**
   * Applies migrations, and fills an empty models table once: models that an admin
   * deletes do not come back. The fields of these models do not count as set by an
   * admin. If nothing is left to do it writes nothing, so that a read-only role can
   * start. @returns whether the database was new
   */
  async prepare (seed: readonly ModelDraft[]): Promise<boolean> {
    if (await this.#isPrepared()) return false
    try {
      return await this.#transaction(async db => {
        await this.#engine.lockMigrations(db)
        await migrate(db)
        const { numUpdatedRows } = await db.updateTable('catalog_revision').set({ seeded: true }).where('seeded', '=', false).executeTakeFirst()
        if (numUpdatedRows === 0n) return false
        const contents = await this.#read(db)
        if (contents.placed.length === 0) await this.#write(db, contents, seed.map(model => ({ ...model, set: [] })), 'start')
        return true
      })
    } catch (error) {
      if (!(error instanceof StoreFailure && error.refusal)) throw error
      throw new Error(`Its tables are missing or of an earlier version, and the gateway cannot make them. ${error.message} Start the gateway once with a user who may create and alter tables.`, { cause: error.cause })
    }
  }

  /** Every model in catalog order. After an edit by this process only the revision is read. */
  async contents (): Promise<Contents> {
    return await this.#named(this.#engine.read(async db => {
      const revision = await revisionOf(db)
      const made = this.#fresh ? this.#copy : undefined
      this.#fresh = false
      if (made?.revision === revision) return made
      return this.#keep(await this.#read(db))
    }))
  }

  /** Every model at the present revision. If the revision is unchanged, nothing else is read. Rows changed by hand show at the next full read. */
  async current (): Promise<Contents> {
    const copy = this.#copy
    if (copy !== undefined && await this.#named(this.#engine.read(revisionOf)) === copy.revision) return copy
    return await this.contents()
  }

  /** The model of that id, read now. */
  async one (id: string): Promise<ModelRecord | undefined> {
    const row = await this.#named(this.#engine.read(async db => await db.selectFrom('models').selectAll().where('id', '=', id).executeTakeFirst()))
    return row && placedRecord(row).record
  }

  /**
   * Changes the whole list in one transaction. `edit` takes all records and returns
   * the new ones in order; if it throws, nothing is changed. No other process can
   * change the records meanwhile. Only differences are written.
   */
  async change (who: string, edit: (records: ModelRecord[]) => ModelDraft[]): Promise<Change[]> {
    const { changes, contents } = await this.#transaction(async db => {
      await lock(db)
      const before = await this.#read(db)
      return await this.#write(db, before, edit(before.placed.map(({ record }) => record)), who)
    })
    this.#keep(contents, true)
    return changes
  }

  /**
   * Changes one model in one transaction. `edit` takes its record (undefined: there
   * is none) and returns the new one (undefined: remove it). A new model comes
   * last. No other row is read or written.
   * @returns the record after the change
   */
  async changeOne (who: string, id: string, edit: (record: ModelRecord | undefined) => ModelDraft | undefined): Promise<ModelRecord | undefined> {
    const { placed, revision = -1, contents } = await this.#transaction(async db => await this.#changeOne(db, who, id, edit))
    this.#edited = Math.max(this.#edited, revision)
    if (contents !== undefined) this.#keep(contents, true)
    return placed?.record
  }

  async #changeOne (db: Transaction<Tables>, who: string, id: string, edit: (record: ModelRecord | undefined) => ModelDraft | undefined): Promise<{ placed: PlacedRecord | undefined } & Partial<Edited>> {
    await lock(db)
    const row = await db.selectFrom('models').selectAll().where('id', '=', id).executeTakeFirst()
    const known = row && placedRecord(row)
    const draft = edit(known?.record)
    const at = new Date().toISOString()
    if (draft !== undefined && known === undefined) {
      const { count, last, unpositioned } = await positions(db)
      if (count >= MOST_MODELS) throw new GatewayError('conflict', { message: `The catalog holds ${MOST_MODELS} models, which is the most that it can hold.` })
      // Rows inserted by hand have no position yet; the new row must come after them.
      if (unpositioned > 0) {
        const before = await this.#read(db)
        const { contents } = await this.#write(db, before, [...before.placed.map(({ record }) => record), draft], who)
        return { placed: contents.placed.find(({ record }) => record.id === id), revision: contents.revision, contents }
      }
      const placed = { record: settled(draft, undefined, at), position: (last ?? 0) + 1 }
      await db.insertInto('models').values(rowOf(placed)).execute()
      return { placed, ...await this.#finishOne(db, who, at, undefined, placed) }
    }
    const record = draft && settled(draft, known?.record, at)
    if (record === known?.record) return { placed: known }
    if (record === undefined) await db.deleteFrom('models').where('id', '=', id).execute()
    else await db.updateTable('models').set(rowOf({ record, position: known?.position as number })).where('id', '=', id).execute()
    const placed = record && { record, position: known?.position as number }
    return { placed, ...await this.#finishOne(db, who, at, known, placed) }
  }

  /** Records and announces the change of one model. */
  async #finishOne (db: Transaction<Tables>, who: string, at: string, before: PlacedRecord | undefined, after: PlacedRecord | undefined): Promise<Edited> {
    const copy = this.#copy
    const revision = await this.#commit(db, who, at, [changeOf(before?.record, after?.record)])
    const contents = copy?.revision === revision - 1 ? { revision, placed: withOne(copy.placed, before, after) } : undefined
    return { revision, contents }
  }

  /** The audit before a given entry, newest first: at most `limit` entries, fewer if they are long. */
  async audit (limit: number, before?: AuditPosition): Promise<{ entries: AuditEntry[], more: boolean }> {
    return await this.#named(this.#engine.read(async db => await readAudit(db, this.#auditDays, limit, before)))
  }

  /** Asks all other processes to refresh. */
  async requestRefresh (): Promise<void> {
    this.#refreshed = await this.#transaction(async db => {
      const { number, refresh } = await db.updateTable('catalog_revision').set({ refresh: sql<number>`refresh + 1` }).returning(['number', 'refresh']).executeTakeFirstOrThrow()
      await this.#engine.announce(db, number)
      return refresh
    })
  }

  /**
   * Calls back with the current revision after a change: at once where the engine
   * can, else within seconds. Also calls back when another process requests a
   * refresh.
   */
  watch (onRevision: (revision: number) => void, onTrouble: (error: unknown) => void, onRefresh: () => void = () => {}): () => Promise<void> {
    let known: number | undefined
    return this.#engine.watch(({ number, refresh }) => {
      if (known !== undefined && refresh > Math.max(known, this.#refreshed)) onRefresh()
      known = refresh
      onRevision(number)
    }, error => onTrouble(named(error)))
  }

  /** Writes a copy of the whole database into a new file. @returns whether the engine can do that; PostgreSQL has pg_dump */
  async backup (target: string): Promise<boolean> {
    if (this.#engine.backup === undefined) return false
    await this.#named(this.#engine.backup(target))
    return true
  }

  /** Closes every connection and file. */
  async close (): Promise<void> {
    await this.#engine.close()
  }

  async #isPrepared (): Promise<boolean> {
    try {
      return await this.#named(this.#engine.read(isPrepared))
    } catch (error) {
      // There are no tables yet.
      if (error instanceof StoreFailure && error.kind === 'unknown') return false
      throw error
    }
  }

  async #read (db: Kysely<Tables>): Promise<Contents> {
    // The number is read first. A change in between then costs one more read; in
    // the other order it would be missed.
    const revision = await revisionOf(db)
    const known = new Map(this.#copy?.placed.map(placed => [placed.record.id, placed]))
    const placed: PlacedRecord[] = []
    for (const rows of chunks(await this.#engine.models(db))) {
      placed.push(...rows.map((row: ModelRow) => placedRecord(row, known.get(row.id))))
      await setImmediate()
    }
    return { revision, placed: inOrder(placed) }
  }

  async #write (db: Transaction<Tables>, before: Contents, drafts: readonly ModelDraft[], who: string): Promise<{ changes: Change[], contents: Contents }> {
    const at = new Date().toISOString()
    const { remove, insert, move, changes, after } = editOf(before.placed, drafts, at)
    if (remove.length + insert.length + move.length === 0) return { changes: [], contents: before }
    for (const ids of chunks(remove)) {
      await db.deleteFrom('models').where('id', 'in', ids).execute()
      await setImmediate()
    }
    for (const placed of chunks(insert)) {
      await db.insertInto('models').values(placed.map(rowOf)).execute()
      await setImmediate()
    }
    for (const placed of chunks(move)) {
      await movePlaces(db, placed)
      await setImmediate()
    }
    const revision = await this.#commit(db, who, at, changes)
    return { changes, contents: { revision, placed: inOrder(after) } }
  }

  /** Increments the revision, writes the audit entries and notifies the other processes, all when the transaction commits. */
  async #commit (db: Transaction<Tables>, who: string, at: string, changes: readonly Change[]): Promise<number> {
    const { number: revision } = await db.updateTable('catalog_revision').set({ number: sql<number>`number + 1` }).returning('number').executeTakeFirstOrThrow()
    for (const [index, part] of [...chunks(changes)].entries()) {
      await db.insertInto('catalog_audit').values(part.map(({ action, modelId, before, after }, offset) => ({
        revision, sequence: index * CHUNK + offset, at, who, action, model_id: modelId, before: json(before), after: json(after)
      }))).execute()
      await setImmediate()
    }
    this.#unpruned.entries += changes.length
    if (this.#unpruned.entries > PRUNE.entries || Date.now() - this.#unpruned.since > PRUNE.after) {
      await pruneAudit(db, this.#auditDays)
      this.#unpruned = { entries: 0, since: Date.now() }
    }
    await this.#engine.announce(db, revision)
    return revision
  }

  #keep (contents: Contents, fresh = false): Contents {
    // An edit that ended meanwhile may have stored a newer one.
    if (this.#copy === undefined || contents.revision >= this.#copy.revision || !this.#fresh) {
      this.#copy = contents
      this.#fresh = fresh
    }
    return contents
  }

  async #transaction<T> (work: (db: Transaction<Tables>) => Promise<T>): Promise<T> {
    return await this.#named(this.#engine.transaction(work))
  }

  async #named<T> (work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      throw named(error)
    }
  }
}

/**
 * The store behind a `DATABASE_URL`. It opens the file, or connects, at the first
 * query. @throws Error that names the mistake in the URL
 */
export async function openStore (url: string, options: StoreOptions = { auditDays: 90 }): Promise<ModelStore> {
  const engine = url.startsWith('sqlite:') ? sqliteEngine(url.slice('sqlite:'.length)) : postgresEngine(url)
  return new ModelStore(engine, databaseIdentity(url), options)
}

/** A database error as StoreFailure; any other error unchanged. */
function named (error: unknown): unknown {
  if (error instanceof StoreFailure) return error
  const kind = failureKind(error)
  return kind === undefined ? error : new StoreFailure(kind, error)
}

/** Updating this row is the lock that orders writers, so it comes before the read. */
async function lock (db: Transaction<Tables>): Promise<void> {
  await db.updateTable('catalog_revision').set({ number: sql<number>`number` }).execute()
}

async function revisionOf (db: Kysely<Tables>): Promise<number> {
  return (await db.selectFrom('catalog_revision').select('number').executeTakeFirstOrThrow()).number
}

/** The list with one record added, changed or removed. */
function withOne (placed: PlacedRecord[], before: PlacedRecord | undefined, after: PlacedRecord | undefined): PlacedRecord[] {
  const index = before === undefined ? -1 : placed.findIndex(({ record }) => record.id === before.record.id)
  if (index === -1) return after === undefined ? placed : inOrder([...placed, after])
  if (after === undefined) return placed.toSpliced(index, 1)
  const changed = placed.with(index, after)
  return after.record.type === before?.record.type ? changed : inOrder(changed)
}

/** The number of models, the last position, and the number of models without one. */
async function positions (db: Transaction<Tables>): Promise<{ count: number, last: number | null, unpositioned: number }> {
  const { count, last, placed } = await db.selectFrom('models')
    .select([sql<number>`count(*)`.as('count'), sql<number | null>`max(position)`.as('last'), sql<number>`count(position)`.as('placed')]).executeTakeFirstOrThrow()
  return { count, last, unpositioned: count - placed }
}

/** Changes only the positions of rows. */
async function movePlaces (db: Transaction<Tables>, moved: readonly PlacedRecord[]): Promise<void> {
  const cases = moved.map(({ record, position }) => sql`when ${record.id} then ${sql.lit(position)}`)
  await db.updateTable('models').set({ position: sql<number>`case id ${sql.join(cases, sql` `)} end` }).where('id', 'in', moved.map(({ record }) => record.id)).execute()
}

function json (value: unknown): string | null {
  return value === null ? null : JSON.stringify(value)
}

function * chunks<T> (items: readonly T[]): Generator<T[]> {
  for (let start = 0; start < items.length; start += CHUNK) yield items.slice(start, start + CHUNK)
}
