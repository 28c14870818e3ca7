import { accessSync, chmodSync, closeSync, constants, existsSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { backup, DatabaseSync, type SQLInputValue, type SQLOutputValue } from 'node:sqlite'
import { setImmediate, setTimeout as delay } from 'node:timers/promises'
import { Kysely, SqliteDialect, type SqliteDatabase } from 'kysely'
import type { Engine } from './engine.ts'
import { failureKind, StoreFailure } from './failure.ts'
import type { ModelRow, Tables } from './schema.ts'
import { inTransaction } from './transaction.ts'

const POLL_MS = 1000
// node:sqlite waits for a lock on the event loop, which would block every request.
// So its own wait is off, and a locked operation is retried.
const BUSY_TIMEOUT_MS = 0
const RETRY_MS = 30
const WAIT_LIMIT_MS = 5000
/** Rows that are read in one turn of the event loop. */
const SLICE = 250
/** Pages that a backup copies in one step. */
const BACKUP_PAGES = 200

/** SQLite in a file, through node:sqlite. The file is opened at the first query. */
export function sqliteEngine (file: string): Engine {
  let database: DatabaseSync | undefined
  let opened: string | undefined
  const db = new Kysely<Tables>({
    dialect: new SqliteDialect({
      // Kysely calls it again at the next query if it fails, as it does while another process holds the file's lock.
      database: async () => {
        database = open(file)
        opened = identity(file)
        return shim(database)
      }
    })
  })
  /** SQLite itself notices this only at a write. @throws StoreFailure where the file was replaced or deleted. */
  const stillThere = () => {
    if (opened === undefined) return
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
      foldLog(database as DatabaseSync)
      return result
    },
    models: slicedRows,
    lockMigrations: async () => {},
    announce: async () => {},
    watch: (onState, onTrouble) => {
      const timer = setInterval(() => {
        read(async db => await db.selectFrom('catalog_revision').select(['number', 'refresh']).executeTakeFirstOrThrow()).then(onState, onTrouble)
      }, POLL_MS)
      return async () => clearInterval(timer)
    },
    backup: async target => {
      stillThere()
      // A separate connection: the copy runs on another thread while edits continue.
      const source = opening(file, () => new DatabaseSync(file, { readOnly: true }))
      try {
        await backup(source, target, { rate: BACKUP_PAGES })
      } finally {
        source.close()
      }
    },
    close: async () => await db.destroy()
  }
}

/**
 * Creates the file and its folders for this user only; SQLite would make them
 * readable by all. @throws the system's error
 */
function makePrivate (file: string): void {
  if (file === ':memory:') return
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  try {
    const handle = openSync(file, 'wx', 0o600)
    closeSync(handle)
    chmodSync(file, 0o600)
  } catch (error) {
    // An existing file keeps its mode.
    if (!existsSync(file)) throw error
  }
}

/** Identifies a file independently of its name; undefined if there is none. */
function identity (file: string): string | undefined {
  if (file === ':memory:') return file
  const found = statSync(file, { throwIfNoEntry: false })
  return found && `${found.dev}:${found.ino}`
}

/** @throws StoreFailure where the file cannot be opened; SQLite's error where it is locked or damaged */
function open (file: string): DatabaseSync {
  const database = opening(file, () => {
    makePrivate(file)
    return new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS })
  })
  try {
    keepOneFile(database)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** Runs a function that opens the file. @throws StoreFailure, with the system's error as its cause where there is one: SQLite's does not say why */
function opening<T> (file: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    const isSystems = failureKind(error) === undefined
    throw new StoreFailure('unopenable', isSystems ? error : accessProblem(file) ?? error)
  }
}

function accessProblem (file: string): unknown {
  try {
    accessSync(file, constants.R_OK)
    return undefined
  } catch (error) {
    return error
  }
}

/**
 * With a rollback journal the file is the whole database between two changes, so
 * that a copy of it is a backup; with a write-ahead log, recent changes may be
 * missing from a copy. A file of an earlier version that another process has open
 * keeps its log.
 */
function keepOneFile (database: DatabaseSync): void {
  // Asked first, because a read-only file can be used without this change.
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

/** Moves the content of a write-ahead log into the file, if there still is one. */
function foldLog (database: DatabaseSync): void {
  if (journalMode(database) === 'wal') database.exec('pragma wal_checkpoint(truncate)')
}

/** All rows, read in several turns of the event loop. */
async function slicedRows (db: Kysely<Tables>): Promise<ModelRow[]> {
  const rows: ModelRow[] = []
  for await (const row of db.selectFrom('models').selectAll().stream()) {
    rows.push(row)
    if (rows.length % SLICE === 0) await setImmediate()
  }
  return rows
}

/** Retries while another process holds the lock, without blocking the event loop. */
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

/** node:sqlite behind the interface that Kysely's better-sqlite3 dialect expects. */
function shim (database: DatabaseSync): SqliteDatabase {
  const bind = (parameters: readonly unknown[]) => parameters.map(value => typeof value === 'boolean' ? Number(value) : value as SQLInputValue)
  return {
    close: () => database.close(),
    prepare: query => {
      const statement = database.prepare(query)
      // Otherwise one number above 2^53 in a row would make every read fail.
      statement.setReadBigInts(true)
      return {
        reader: statement.columns().length > 0,
        all: parameters => statement.all(...bind(parameters)).map(withNumbers),
        run: parameters => statement.run(...bind(parameters)),
        iterate: parameters => released(statement.iterate(...bind(parameters)))
      }
    }
  }
}

function withNumbers (row: Record<string, SQLOutputValue>): Record<string, SQLOutputValue> {
  for (const [name, value] of Object.entries(row)) if (typeof value === 'bigint') row[name] = Number(value)
  return row
}

/**
 * A statement that fails while another process holds the file's lock stays open,
 * and keeps a lock of its own until it is collected: nobody else could write.
 */
function * released (rows: NodeJS.Iterator<Record<string, SQLOutputValue>>): Generator<Record<string, SQLOutputValue>, undefined> {
  try {
    for (const row of rows) yield withNumbers(row)
  } finally {
    rows.return?.()
  }
}
