import { sql, type Transaction } from 'kysely'
import { postgresEngine } from './postgres.ts'
import { editOf, isoDate, placedRecords, rowOf, type Change, type ModelDraft, type ModelRecord, type PlacedRecord } from './records.ts'
import { migrate, type Engine, type Tables } from './schema.ts'
import { sqliteEngine } from './sqlite.ts'

/** The table's whole content at one moment. */
export interface Contents {
  revision: number
  placed: PlacedRecord[]
}

/** An audit entry as it was written. */
export interface AuditEntry extends Change {
  revision: number
  sequence: number
  at: string
  who: string
}

// A statement takes 32,766 parameters in SQLite and 65,535 in PostgreSQL.
const CHUNK = 500

/** The models table and its audit, in either engine. */
export class ModelStore {
  readonly #engine: Engine

  constructor (engine: Engine) {
    this.#engine = engine
  }

  /**
   * Brings the tables up to date, and fills an empty models table where that was
   * never done. Once only: whoever deletes all models does not get them back.
   * No admin set the fields of these models.
   */
  async prepare (seed: readonly ModelDraft[]): Promise<void> {
    await this.#engine.transaction(async db => {
      await this.#engine.excludeOthers(db)
      await migrate(db)
      const { numUpdatedRows } = await db.updateTable('catalog_revision').set({ seeded: true }).where('seeded', '=', false).executeTakeFirst()
      if (numUpdatedRows === 0n || (await read(db)).placed.length > 0) return
      await this.#write(db, [], seed.map(model => ({ ...model, set: [] })), 'start')
    })
  }

  /** Every model, in the order in which the catalog shows them. */
  async contents (): Promise<Contents> {
    return await read(this.#engine.db)
  }

  /**
   * Makes one change: `edit` is given all records and returns what they shall
   * be, in order; what it throws undoes all. It decides on what no other process
   * can change meanwhile. Nothing is written where nothing differs.
   */
  async change (who: string, edit: (records: ModelRecord[]) => ModelDraft[]): Promise<Change[]> {
    return await this.#engine.transaction(async db => {
      // The row is the lock that orders writers, so it comes before the reading.
      await db.updateTable('catalog_revision').set({ number: sql<number>`number` }).execute()
      const { placed } = await read(db)
      return await this.#write(db, placed, edit(placed.map(({ record }) => record)), who)
    })
  }

  /** The audit, newest first, from before a given entry on. */
  async audit (limit: number, before?: { revision: number, sequence: number }): Promise<AuditEntry[]> {
    const rows = await this.#engine.db.selectFrom('catalog_audit').selectAll()
      .$if(before !== undefined, query => query.where(sql<boolean>`(revision, sequence) < (${before?.revision}, ${before?.sequence})`))
      .orderBy('revision', 'desc').orderBy('sequence', 'desc').limit(limit).execute()
    return rows.map(({ model_id: modelId, at, before, after, action, ...rest }) => ({
      ...rest,
      action: action as Change['action'],
      at: isoDate(at),
      modelId,
      before: before === null ? null : JSON.parse(before),
      after: after === null ? null : JSON.parse(after)
    }))
  }

  /** Calls back with the current revision: at once after a change where the engine can, within seconds elsewhere. */
  watch (onRevision: (revision: number) => void, onTrouble: (error: unknown) => void): () => Promise<void> {
    return this.#engine.watch(onRevision, onTrouble)
  }

  /** Gives back every connection and file. */
  async close (): Promise<void> {
    await this.#engine.close()
  }

  async #write (db: Transaction<Tables>, before: PlacedRecord[], after: ModelDraft[], who: string): Promise<Change[]> {
    const at = new Date().toISOString()
    const { remove, insert, changes } = editOf(before, after, at)
    if (remove.length === 0 && insert.length === 0) return []
    const { number: revision } = await db.updateTable('catalog_revision').set({ number: sql<number>`number + 1` }).returning('number').executeTakeFirstOrThrow()
    for (const ids of chunks(remove)) await db.deleteFrom('models').where('id', 'in', ids).execute()
    for (const placed of chunks(insert)) await db.insertInto('models').values(placed.map(rowOf)).execute()
    const entries = changes.map(({ action, modelId, before, after }, sequence) => ({ revision, sequence, at, who, action, model_id: modelId, before: json(before), after: json(after) }))
    for (const values of chunks(entries)) await db.insertInto('catalog_audit').values(values).execute()
    await this.#engine.announce(db, revision)
    return changes
  }
}

/** The store behind a `DATABASE_URL`. SQLite opens its file now, PostgreSQL connects when it is first asked. */
export async function openStore (url: string): Promise<ModelStore> {
  return new ModelStore(url.startsWith('sqlite:') ? await sqliteEngine(url.slice('sqlite:'.length)) : postgresEngine(url))
}

async function read (db: Engine['db'] | Transaction<Tables>): Promise<Contents> {
  // The number first: a change in between makes the copy newer than its number,
  // which costs one reading too many; the other way round it would be missed.
  const { number: revision } = await db.selectFrom('catalog_revision').select('number').executeTakeFirstOrThrow()
  return { revision, placed: placedRecords(await db.selectFrom('models').selectAll().execute()) }
}

function json (value: unknown): string | null {
  return value === null ? null : JSON.stringify(value)
}

function * chunks<T> (items: T[]): Generator<T[]> {
  for (let start = 0; start < items.length; start += CHUNK) yield items.slice(start, start + CHUNK)
}
