import type { Kysely, Transaction } from 'kysely'
import type { ModelRow, Tables } from './schema.ts'

/** What the row of the revision says: its number, and how often all replicas were asked to read their sources again. */
export interface CatalogState {
  number: number
  refresh: number
}

/** What differs between the engines. */
export interface Engine {
  db: Kysely<Tables>
  /** Runs work that only reads. */
  read: <T>(work: (db: Kysely<Tables>) => Promise<T>) => Promise<T>
  /**
   * Runs a transaction that writes; where another process stands in the way, waits without holding up the event loop.
   * @throws the first error, not that of the rollback; StoreFailure where nobody knows whether the commit was made
   */
  transaction: <T>(work: (db: Transaction<Tables>) => Promise<T>) => Promise<T>
  /** Every row of the models table, as of one moment, read without holding up the event loop. */
  models: (db: Kysely<Tables>) => Promise<ModelRow[]>
  /** Makes the transaction the only one of its kind among all processes, before any table exists. */
  excludeOthers: (db: Transaction<Tables>) => Promise<void>
  /** Tells the other processes that the row of the revision has changed, when the transaction commits. */
  announce: (db: Transaction<Tables>, revision: number) => Promise<void>
  /** Calls back with the current state, now and then and where possible at once after a change. Returns how to stop. */
  watch: (onState: (state: CatalogState) => void, onTrouble: (error: unknown) => void) => () => Promise<void>
  /** Writes a copy of the whole database into a new file; absent where the engine has tools of its own for that. */
  backup?: (target: string) => Promise<void>
  close: () => Promise<void>
}
