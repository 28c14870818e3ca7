import type { Kysely, Transaction } from 'kysely'
import { failureKind, StoreFailure } from './failure.ts'
import type { Tables } from './schema.ts'

/** Error codes of a lost connection, after which it is unknown whether a commit happened. */
const UNCERTAIN = new Set(['lost', 'unreachable', 'unknown'])

/**
 * Runs work in a transaction and throws its first error. `db.transaction()` throws
 * the rollback's error instead if the rollback fails too, as on a full disk or a
 * lost connection.
 */
export async function inTransaction<T> (db: Kysely<Tables>, work: (db: Transaction<Tables>) => Promise<T>): Promise<T> {
  const transaction = await db.startTransaction().execute()
  let committing = false
  try {
    const result = await work(transaction)
    committing = true
    await transaction.commit().execute()
    return result
  } catch (error) {
    await transaction.rollback().execute().catch(() => {})
    const kind = committing ? failureKind(error) : undefined
    if (kind !== undefined && UNCERTAIN.has(kind)) throw new StoreFailure(kind, error, true)
    throw error
  }
}
