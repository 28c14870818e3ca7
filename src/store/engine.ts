import type { Kysely, Transaction } from 'kysely'
import type { ModelRow, Tables } from './schema.ts'

/** The revision row: its number, and the number of requests to all replicas to refresh. */
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
   * Runs a writing transaction. Waits for a lock of another process without blocking the event loop.
   * @throws the first error, not that of the rollback; StoreFailure where it is unknown whether the commit happened
   */
  transaction: <T>(work: (db: Transaction<Tables>) => Promise<T>) => Promise<T>
  /** A consistent copy of every row of the models table, read without blocking the event loop. */
  models: (db: Kysely<Tables>) => Promise<ModelRow[]>
  /** Takes a lock that excludes migrations by other processes; works before any table exists. */
  lockMigrations: (db: Transaction<Tables>) => Promise<void>
  /** Notifies the other processes of a changed revision row when the transaction commits. */
  announce: (db: Transaction<Tables>, revision: number) => Promise<void>
  /** Calls back with the revision row at intervals, and at once after a change where the engine can. Returns a function that stops it. */
  watch: (onState: (state: CatalogState) => void, onTrouble: (error: unknown) => void) => () => Promise<void>
  /** Writes a copy of the whole database into a new file. Absent for PostgreSQL, which has pg_dump. */
  backup?: (target: string) => Promise<void>
  /** New connections log in by that URL, which names the same database. Absent for SQLite: nobody logs in to a file. */
  useUrl?: (url: string) => void
  close: () => Promise<void>
}
