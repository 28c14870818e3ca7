import { once } from 'node:events'
import { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import type { CatalogState, Engine } from './engine.ts'
import { failureKind } from './failure.ts'
import type { Tables } from './schema.ts'
import { inTransaction } from './transaction.ts'

const CHANNEL = 'model_catalog'
/** The advisory lock of the migrations: an arbitrary number. */
const MIGRATION_LOCK = 7_241_885_360_121
const SILENCE_LIMIT_MS = 5000
const POLL_MS = 2000
const FIRST_RECONNECT_MS = 50
const LAST_RECONNECT_MS = 1000
const POOL_SIZE = 4
const RETRY_LIMIT_MS = 1000
const INT8 = 20

/**
 * PostgreSQL, through pg.
 * @throws Error that names the mistake in the URL
 */
export function postgresEngine (url: string): Engine {
  checkUrl(url)
  const options: pg.ClientConfig = {
    connectionString: url,
    connectionTimeoutMillis: SILENCE_LIMIT_MS,
    application_name: 'model-gateway',
    // If a server vanishes without closing its connection, pg waits for ever, and its
    // `query_timeout` puts the dead connection back into the pool
    // (brianc/node-postgres#3399). So the limit is on the socket.
    stream: () => {
      const socket = new Socket()
      return socket.setTimeout(SILENCE_LIMIT_MS, () => socket.destroy(new Error('The database did not answer in time.')))
    },
    types: { getTypeParser: ((oid: number, format?: 'text') => oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser }
  }
  const pool = new pg.Pool({ ...options, max: POOL_SIZE, idleTimeoutMillis: SILENCE_LIMIT_MS - 1000 })
  // A broken connection fails its query and is replaced at the next one. Without
  // these listeners its error would end the process, because the pool listens to
  // idle connections only.
  pool.on('error', () => {}).on('connect', client => client.on('error', () => {}))
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  return {
    db,
    read: async work => await work(db),
    models: async db => await db.selectFrom('models').selectAll().execute(),
    transaction: async work => {
      const start = performance.now()
      for (;;) {
        let begun = false
        try {
          return await inTransaction(db, async transaction => {
            // A process that freezes during a change must not block the others.
            await sql`select set_config('lock_timeout', '4s', true), set_config('idle_in_transaction_session_timeout', '10s', true)`.execute(transaction)
            begun = true
            return await work(transaction)
          })
        } catch (error) {
          // A pooled connection that broke while it was idle fails only here.
          // Nothing was sent on it, so the next one is tried.
          if (begun || failureKind(error) !== 'lost' || performance.now() - start > RETRY_LIMIT_MS) throw error
        }
      }
    },
    lockMigrations: async transaction => { await sql`select pg_advisory_xact_lock(${sql.lit(MIGRATION_LOCK)})`.execute(transaction) },
    announce: async (transaction, revision) => { await sql`select pg_notify(${CHANNEL}, ${String(revision)})`.execute(transaction) },
    watch: (onState, onTrouble) => watch(options, onState, onTrouble),
    useUrl: url => {
      checkUrl(url)
      options.connectionString = url
      pool.options.connectionString = url
    },
    close: async () => await db.destroy()
  }
}

const ENCODE = 'In its user name, password and database name these characters must be percent-encoded: @ as %40, : as %3A, / as %2F, ? as %3F, # as %23, % as %25, [ as %5B, ] as %5D, a space as %20.'

/** An unencoded special character in the password changes the URL or makes it invalid. */
function checkUrl (text: string): void {
  const url = URL.parse(text)
  const encoded = /%(?![\da-f]{2})/i
  if (url === null || url.hash !== '' || url.pathname.includes('@') || url.search.includes('@') || encoded.test(text.split('?', 1)[0] as string)) {
    throw new Error(`The URL cannot be read. ${ENCODE}`)
  }
}

/**
 * One connection that listens and polls. A notification makes it poll at once.
 * Polling at intervals shows that the connection works, and finds changes where a
 * pooler drops notifications.
 */
function watch (options: pg.ClientConfig, onState: (state: CatalogState) => void, onTrouble: (error: unknown) => void): () => Promise<void> {
  const stop = new AbortController()
  const stopped = once(stop.signal, 'abort')
  let client: pg.Client | undefined
  let pause = FIRST_RECONNECT_MS
  const follow = async () => {
    client = new pg.Client({ ...options, application_name: 'model-gateway listener' })
    // Without a listener a lost connection would end the process. The next poll reports it.
    const lost = new Promise<void>(resolve => client?.on('error', () => resolve()).on('end', () => resolve()))
    let notice = Promise.withResolvers<void>()
    client.on('notification', () => notice.resolve())
    try {
      // pg never settles this promise if the client is ended meanwhile.
      await Promise.race([client.connect(), stopped])
      await client.query(`listen ${CHANNEL}`)
      while (!stop.signal.aborted) {
        notice = Promise.withResolvers()
        const { rows } = await client.query('select number, refresh from catalog_revision')
        onState(rows[0])
        pause = FIRST_RECONNECT_MS
        await Promise.race([lost, notice.promise, delay(POLL_MS, undefined, { signal: stop.signal })])
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
