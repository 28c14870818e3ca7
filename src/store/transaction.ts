import type { Kysely, Transaction } from 'kysely'
import { failureKind, StoreFailure } from './failure.ts'
import type { Tables } from './schema.ts'

/** What a connection's loss cannot tell: whether the commit that it broke was made. */
const UNCERTAIN = new Set(['lost', 'unreachable', 'unknown'])

/**
 * Runs work in a transaction. What fails is reported by its first error:
 * `db.transaction()` reports the error of the rollback that follows where that
 * fails too, as it does on a full disk or a lost connection.
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
