import { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import type { Engine, Tables } from './schema.ts'

const CHANNEL = 'model_catalog'
/** The advisory lock of the migrations: any number that no other program uses. */
const MIGRATION_LOCK = 7_241_885_360_121
const SILENCE_LIMIT_MS = 5000
const POLL_MS = 2000
const FIRST_RECONNECT_MS = 50
const LAST_RECONNECT_MS = 1000
const POOL_SIZE = 4
const RETRY_LIMIT_MS = 1000
const INT8 = 20

/** PostgreSQL, through pg. */
export function postgresEngine (url: string): Engine {
  const options: pg.ClientConfig = {
    connectionString: url,
    connectionTimeoutMillis: SILENCE_LIMIT_MS,
    application_name: 'model-gateway',
    // A server that vanishes without a word leaves pg waiting for ever, and its
    // `query_timeout` puts the dead connection back into the pool
    // (brianc/node-postgres#3399). So the socket itself has the limit.
    stream: () => {
      const socket = new Socket()
      return socket.setTimeout(SILENCE_LIMIT_MS, () => socket.destroy(new Error('The database did not answer in time.')))
    },
    types: { getTypeParser: ((oid: number, format?: 'text') => oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser }
  }
  const pool = new pg.Pool({ ...options, max: POOL_SIZE, idleTimeoutMillis: SILENCE_LIMIT_MS - 1000 })
  // A connection that breaks fails its query, and is replaced when the next one
  // is needed. Without these listeners it would end the process: the pool
  // listens to idle connections only.
  pool.on('error', () => {}).on('connect', client => client.on('error', () => {}))
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  return {
    db,
    transaction: async work => {
      const start = performance.now()
      for (;;) {
        let begun = false
        try {
          return await db.transaction().execute(async transaction => {
            // A process that freezes in mid-change must not lock the others out.
            await sql`select set_config('lock_timeout', '4s', true), set_config('idle_in_transaction_session_timeout', '10s', true)`.execute(transaction)
            begun = true
            return await work(transaction)
          })
        } catch (error) {
          // A pooled connection that died while it was idle shows it only now.
          // Nothing was done on it yet, so the next one is tried.
          if (begun || !isLost(error) || performance.now() - start > RETRY_LIMIT_MS) throw error
        }
      }
    },
    excludeOthers: async transaction => { await sql`select pg_advisory_xact_lock(${sql.lit(MIGRATION_LOCK)})`.execute(transaction) },
    announce: async (transaction, revision) => { await sql`select pg_notify(${CHANNEL}, ${String(revision)})`.execute(transaction) },
    watch: (onRevision, onTrouble) => watch(options, onRevision, onTrouble),
    close: async () => await db.destroy()
  }
}

/** Whether a connection broke that was there: its socket, or the server's `admin_shutdown` and its like (class 57P). */
function isLost (error: unknown): boolean {
  const { code, message } = error as { code?: string, message: string }
  return code === undefined ? /^Connection terminated/.test(message) : /^(ECONNRESET|EPIPE|57P0.)$/.test(code)
}

/**
 * One connection that both listens and asks: notices come at once, and the
 * question shows that the connection lives, or finds the change where a pooler
 * between here and the server swallows notices.
 */
function watch (options: pg.ClientConfig, onRevision: (revision: number) => void, onTrouble: (error: unknown) => void): () => Promise<void> {
  const stop = new AbortController()
  let client: pg.Client | undefined
  let pause = FIRST_RECONNECT_MS
  const follow = async () => {
    client = new pg.Client({ ...options, application_name: 'model-gateway listener' })
    // Without a listener the loss of the connection would end the process; the next question reports it.
    const lost = new Promise<void>(resolve => client?.on('error', () => resolve()).on('end', () => resolve()))
    client.on('notification', ({ payload }) => onRevision(Number(payload)))
    try {
      await client.connect()
      await client.query(`listen ${CHANNEL}`)
      while (!stop.signal.aborted) {
        const { rows } = await client.query('select number from catalog_revision')
        onRevision(rows[0].number)
        pause = FIRST_RECONNECT_MS
        await Promise.race([lost, delay(POLL_MS, undefined, { signal: stop.signal })])
      }
    } finally {
      client.end().catch(() => {})
    }
  }
  const done = (async () => {
    while (!stop.signal.aborted) {
      await follow().catch(error => { if (!stop.signal.aborted) onTrouble(error) })
      await delay(pause * (0.5 + Math.random() / 2), undefined, { signal: stop.signal }).catch(() => {})
      pause = Math.min(LAST_RECONNECT_MS, pause * 2)
    }
  })()
  return async () => {
    stop.abort()
    await client?.end().catch(() => {})
    await done
  }
}
