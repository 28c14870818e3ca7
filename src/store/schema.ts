import { sql, type Generated, type Kysely, type Transaction } from 'kysely'
import { CURATED_FIELDS } from '../catalog/models.ts'

/** Dates come as `Date` from PostgreSQL and as text from SQLite; booleans as 0 and 1 from SQLite. */
export interface ModelRow {
  id: string
  name: string
  description: string
  context_length: number | null
  model_type: string
  is_active: boolean | number
  provider: string | null
  /** A Capabilities object as JSON; null: unknown. */
  capabilities: string | null
  /** JSON array of the fields that an admin set; null: all of them. */
  set_fields: string | null
  position: number | null
  created_at: Date | string
  updated_at: Date | string
}

/** The tables, the same in both engines. */
export interface Tables {
  models: ModelRow
  /**
   * One row. Every change adds one to `number`, which is also the lock that
   * orders writers. A request to all replicas to refresh adds one to `refresh`.
   */
  catalog_revision: { id: number, number: number, seeded: boolean | number, refresh: Generated<number> }
  catalog_audit: {
    revision: number
    sequence: number
    at: Date | string
    who: string
    action: string
    model_id: string | null
    before: string | null
    after: string | null
  }
  catalog_migrations: { version: number, applied_at: Generated<Date | string> }
}

type Migration = (db: Transaction<Tables>) => Promise<void>

// A released migration is never edited: each change of the tables is a new entry.
const MIGRATIONS: Migration[] = [
  async db => {
    // Defaults for all columns but id and name, so that rows inserted by hand are valid too.
    await db.schema.createTable('models')
      .addColumn('id', 'varchar(100)', column => column.primaryKey().notNull())
      .addColumn('name', 'varchar(255)', column => column.notNull())
      .addColumn('description', 'text', column => column.notNull().defaultTo(''))
      .addColumn('context_length', 'bigint')
      .addColumn('model_type', 'varchar(10)', column => column.notNull().defaultTo('chat').check(sql`model_type in ('chat', 'image', 'speech')`))
      .addColumn('is_active', 'boolean', column => column.notNull().defaultTo(true))
      .addColumn('provider', 'varchar(100)')
      .addColumn('position', 'integer')
      .addColumn('created_at', 'timestamptz', column => column.notNull().defaultTo(sql`current_timestamp`))
      .addColumn('updated_at', 'timestamptz', column => column.notNull().defaultTo(sql`current_timestamp`))
      .execute()
    await db.schema.createTable('catalog_revision')
      .addColumn('id', 'integer', column => column.primaryKey().notNull())
      .addColumn('number', 'bigint', column => column.notNull())
      .addColumn('seeded', 'boolean', column => column.notNull())
      .execute()
    await db.insertInto('catalog_revision').values({ id: 1, number: 0, seeded: false }).execute()
    await db.schema.createTable('catalog_audit')
      .addColumn('revision', 'bigint', column => column.notNull())
      .addColumn('sequence', 'integer', column => column.notNull())
      .addColumn('at', 'timestamptz', column => column.notNull())
      .addColumn('who', 'varchar(255)', column => column.notNull())
      .addColumn('action', 'varchar(10)', column => column.notNull())
      .addColumn('model_id', 'varchar(100)')
      .addColumn('before', 'text')
      .addColumn('after', 'text')
      .addPrimaryKeyConstraint('catalog_audit_key', ['revision', 'sequence'])
      .execute()
  },
  async db => {
    await db.schema.alterTable('models').addColumn('capabilities', 'text').execute()
    await db.schema.alterTable('models').addColumn('set_fields', 'text').execute()
    await db.schema.alterTable('catalog_revision').addColumn('refresh', 'bigint', column => column.notNull().defaultTo(0)).execute()
    await db.schema.createIndex('catalog_audit_at').on('catalog_audit').column('at').execute()
    await markSetFields(db)
  }
]

/**
 * A model from the first filling of the table holds defaults, except for the fields
 * that an admin has changed since, which the audit names. All other models were
 * created by an admin.
 */
async function markSetFields (db: Transaction<Tables>): Promise<void> {
  const entries = await db.selectFrom('catalog_audit').select(['model_id', 'who', 'before', 'after', 'action'])
    .where('model_id', 'is not', null).orderBy('revision').orderBy('sequence').execute()
  const set = new Map<string, Set<string> | null>()
  for (const { model_id: id, who, before, after, action } of entries) {
    if (action === 'create') set.set(id as string, who === 'start' ? new Set() : null)
    if (action === 'update') for (const field of differing(JSON.parse(before as string), JSON.parse(after as string))) set.get(id as string)?.add(field)
  }
  for (const { id } of await db.selectFrom('models').select('id').execute()) {
    const fields = set.get(id)
    if (fields != null) await db.updateTable('models').set({ set_fields: JSON.stringify([...fields]) }).where('id', '=', id).execute()
  }
}

function differing (before: Record<string, unknown>, after: Record<string, unknown>): string[] {
  return CURATED_FIELDS.filter(field => before[field] !== after[field])
}

/** Whether every migration was applied and the table was filled. Reads only, so that a read-only role can call it. */
export async function isPrepared (db: Kysely<Tables>): Promise<boolean> {
  const { count } = await db.selectFrom('catalog_migrations').select(sql<number>`count(*)`.as('count')).where('version', '<=', MIGRATIONS.length).executeTakeFirstOrThrow()
  if (Number(count) < MIGRATIONS.length) return false
  return Boolean((await db.selectFrom('catalog_revision').select('seeded').executeTakeFirst())?.seeded)
}

/**
 * Brings the tables up to date. The caller's transaction must hold the migration
 * lock, because several processes may start at once. Kysely's own Migrator takes no
 * lock across processes on SQLite.
 */
export async function migrate (db: Transaction<Tables>): Promise<void> {
  await db.schema.createTable('catalog_migrations').ifNotExists()
    .addColumn('version', 'integer', column => column.primaryKey().notNull())
    .addColumn('applied_at', 'timestamptz', column => column.notNull().defaultTo(sql`current_timestamp`))
    .execute()
  const applied = new Set((await db.selectFrom('catalog_migrations').select('version').execute()).map(row => row.version))
  for (const [index, migration] of MIGRATIONS.entries()) {
    if (applied.has(index + 1)) continue
    await migration(db)
    await db.insertInto('catalog_migrations').values({ version: index + 1 }).execute()
  }
}
