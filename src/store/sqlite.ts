import { chmodSync, closeSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { backup, DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { setImmediate, setTimeout as delay } from 'node:timers/promises'
import { Kysely, SqliteDialect, type SqliteDatabase } from 'kysely'
import type { Engine } from './engine.ts'
import { failureKind, StoreFailure } from './failure.ts'
import type { ModelRow, Tables } from './schema.ts'
import { inTransaction } from './transaction.ts'

const POLL_MS = 1000
// node:sqlite waits for a lock on the event loop, which would hold up every
// request: so it does not wait at all, and is asked again.
const BUSY_TIMEOUT_MS = 0
const RETRY_MS = 30
const WAIT_LIMIT_MS = 5000
/** Rows that are read before other work gets its turn. */
const SLICE = 250
/** Pages that a backup copies in one step. */
const BACKUP_PAGES = 200

/** SQLite in a file, through node:sqlite. */
export async function sqliteEngine (file: string): Promise<Engine> {
  makePrivate(file)
  const database = await patiently(() => open(file))
  const opened = identity(file)
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: shim(database) }) })
  /** SQLite itself notices it only when it writes. @throws StoreFailure where the path leads to another file, or to none. */
  const stillThere = () => {
    const found = identity(file)
    if (found !== opened) throw new StoreFailure('gone', new Error(`${file} was ${found === undefined ? 'deleted' : 'replaced'}`))
  }
  const read = async <T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T> => {
    stillThere()
    return await patiently(async () => await work(db))
  }
  return {
    db,
    read,
    transaction: async work => {
      stillThere()
      const result = await patiently(async () => await inTransaction(db, work))
      foldLog(database)
      return result
    },
    models: slicedRows,
    excludeOthers: async () => {},
    announce: async () => {},
    watch: (onState, onTrouble) => {
      const timer = setInterval(() => {
        read(async db => await db.selectFrom('catalog_revision').select(['number', 'refresh']).executeTakeFirstOrThrow()).then(onState, onTrouble)
      }, POLL_MS)
      return async () => clearInterval(timer)
    },
    backup: async target => {
      stillThere()
      // A connection of its own: the copy is made on another thread, and edits go on meanwhile.
      const source = new DatabaseSync(file, { readOnly: true })
      try {
        await backup(source, target, { rate: BACKUP_PAGES })
      } finally {
        source.close()
      }
    },
    close: async () => {
      await db.destroy()
      if (database.isOpen) database.close()
    }
  }
}

/** A new file, and new folders above it, are the user's own: SQLite would make them readable to all. */
function makePrivate (file: string): void {
  if (file === ':memory:') return
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  try {
    const handle = openSync(file, 'wx', 0o600)
    closeSync(handle)
    chmodSync(file, 0o600)
  } catch {
    // It exists and keeps its mode, or cannot be made, which the opening tells.
  }
}

/** What tells one file from another that takes its name; nothing where there is none. */
function identity (file: string): string | undefined {
  if (file === ':memory:') return file
  const found = statSync(file, { throwIfNoEntry: false })
  return found && `${found.dev}:${found.ino}`
}

function open (file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS })
  try {
    keepOneFile(database)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/**
 * With a rollback journal the file is the whole database between two changes, so
 * that a copy of it is a backup; with a write-ahead log a copy may be years old.
 * A file of an earlier version that another process has open keeps its log.
 */
function keepOneFile (database: DatabaseSync): void {
  // No write-ahead log, no change: asked first, since a file that cannot be written is readable all the same.
  if (journalMode(database) !== 'wal') return
  try {
    database.exec('pragma journal_mode = delete')
  } catch (error) {
    if (!['locked', 'readonly'].includes(failureKind(error) ?? '')) throw error
  }
}

function journalMode (database: DatabaseSync): unknown {
  return database.prepare('pragma journal_mode').get()?.['journal_mode']
}

/** Where there is still a write-ahead log, brings what it holds into the file. */
function foldLog (database: DatabaseSync): void {
  if (journalMode(database) === 'wal') database.exec('pragma wal_checkpoint(truncate)')
}

/** All rows, with other work in between. */
async function slicedRows (db: Kysely<Tables>): Promise<ModelRow[]> {
  const rows: ModelRow[] = []
  for await (const row of db.selectFrom('models').selectAll().stream()) {
    rows.push(row)
    if (rows.length % SLICE === 0) await setImmediate()
  }
  return rows
}

/** Tries again from the start while another process holds the lock, with other work in between. */
async function patiently<T> (work: () => T | Promise<T>): Promise<T> {
  const until = performance.now() + WAIT_LIMIT_MS
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (failureKind(error) !== 'locked' || performance.now() > until) throw error
    }
    await delay(RETRY_MS * (0.5 + Math.random() / 2))
  }
}

/** What Kysely's dialect for better-sqlite3 asks of a database, over node:sqlite. */
function shim (database: DatabaseSync): SqliteDatabase {
  const bind = (parameters: readonly unknown[]) => parameters.map(value => typeof value === 'boolean' ? Number(value) : value as SQLInputValue)
  return {
    close: () => database.close(),
    prepare: query => {
      const statement = database.prepare(query)
      return {
        reader: statement.columns().length > 0,
        all: parameters => statement.all(...bind(parameters)),
        run: parameters => statement.run(...bind(parameters)),
        iterate: parameters => statement.iterate(...bind(parameters)) as IterableIterator<unknown>
      }
    }
  }
}
