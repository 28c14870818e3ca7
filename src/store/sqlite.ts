import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { Kysely, SqliteDialect, type SqliteDatabase } from 'kysely'
import type { Engine, Tables } from './schema.ts'

const SQLITE_BUSY = 5
const POLL_MS = 1000
// node:sqlite waits for a lock on the event loop, which would hold up every
// request: so it does not wait at all, and is asked again.
const BUSY_TIMEOUT_MS = 0
const RETRY_MS = 30
const WRITE_LIMIT_MS = 5000

/** SQLite in a file, through node:sqlite. */
export async function sqliteEngine (file: string): Promise<Engine> {
  mkdirSync(dirname(file), { recursive: true })
  const database = await patiently(() => open(file))
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: shim(database) }) })
  return {
    db,
    transaction: async work => await patiently(async () => await db.transaction().execute(work)),
    excludeOthers: async () => {},
    announce: async () => {},
    watch: (onRevision, onTrouble) => {
      const timer = setInterval(() => {
        db.selectFrom('catalog_revision').select('number').executeTakeFirstOrThrow().then(row => onRevision(row.number), onTrouble)
      }, POLL_MS)
      return async () => clearInterval(timer)
    },
    close: async () => {
      await db.destroy()
      if (database.isOpen) database.close()
    }
  }
}

function open (file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS })
  try {
    // Readers and the writer do not wait for each other; a crash of the machine
    // may lose the last edits, but never breaks the file.
    database.exec('pragma journal_mode = wal; pragma synchronous = normal')
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** Tries again from the start while another process holds the lock, with other work in between. */
async function patiently<T> (work: () => T | Promise<T>): Promise<T> {
  const until = performance.now() + WRITE_LIMIT_MS
  for (;;) {
    try {
      return await work()
    } catch (error) {
      // The low byte is the kind; the rest says which lock it was.
      const kind = ((error as { errcode?: number }).errcode ?? 0) & 0xff
      if (kind !== SQLITE_BUSY || performance.now() > until) throw error
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
