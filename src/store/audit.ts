import { sql, type Kysely, type Transaction } from 'kysely'
import type { Change } from './changes.ts'
import { isoDate } from './records.ts'
import type { Tables } from './schema.ts'

/** An audit entry as it was written. */
export interface AuditEntry extends Change {
  revision: number
  sequence: number
  at: string
  who: string
}

/** The position of an entry in the audit. */
export type AuditPosition = Pick<AuditEntry, 'revision' | 'sequence'>

/** Characters of records in one page: an entry holds up to two records, and a record 10,000 characters and more. */
const PAGE_SIZE = 1024 * 1024
/** Most entries that are kept. */
const MOST_ENTRIES = 100_000
const DAY_MS = 24 * 3600 * 1000

/** The newest entries of the last `days` before a position: at most `limit`, or as many as fit in one page; and whether there are more. */
export async function readAudit (db: Kysely<Tables>, days: number, limit: number, before?: AuditPosition): Promise<{ entries: AuditEntry[], more: boolean }> {
  // Older ones are still there where nobody has edited since.
  const newest = db.selectFrom('catalog_audit').where('at', '>=', daysAgo(days))
    .$if(before !== undefined, query => query.where(sql<boolean>`(revision, sequence) < (${before?.revision}, ${before?.sequence})`))
    .orderBy('revision', 'desc').orderBy('sequence', 'desc')
  const sizes = await newest.select(sql<number>`coalesce(length(before), 0) + coalesce(length(after), 0)`.as('size')).limit(limit + 1).execute()
  const count = fitting(sizes.slice(0, limit).map(({ size }) => size))
  const rows = await newest.selectAll().limit(count).execute()
  const entries = rows.map(({ model_id: modelId, at, before, after, action, ...rest }) => ({
    ...rest,
    action: action as Change['action'],
    at: isoDate(at),
    modelId,
    before: before === null ? null : JSON.parse(before),
    after: after === null ? null : JSON.parse(after)
  }))
  return { entries, more: sizes.length > count }
}

/** The number of entries that fit in one page, at least one. */
function fitting (sizes: readonly number[]): number {
  let total = 0
  const index = sizes.findIndex(size => (total += size) > PAGE_SIZE)
  return index === -1 ? sizes.length : Math.max(1, index)
}

/** Removes entries older than `days`, and the oldest ones above the limit. */
export async function pruneAudit (db: Transaction<Tables>, days: number): Promise<void> {
  await db.deleteFrom('catalog_audit').where('at', '<', daysAgo(days)).execute()
  const last = await db.selectFrom('catalog_audit').select(['revision', 'sequence']).orderBy('revision', 'desc').orderBy('sequence', 'desc').offset(MOST_ENTRIES - 1).limit(1).executeTakeFirst()
  if (last !== undefined) await db.deleteFrom('catalog_audit').where(sql<boolean>`(revision, sequence) < (${last.revision}, ${last.sequence})`).execute()
}

function daysAgo (days: number): string {
  return new Date(Date.now() - days * DAY_MS).toISOString()
}
