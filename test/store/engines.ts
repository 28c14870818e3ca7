import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import pg from 'pg'
import type { Test } from 'tap'
import { tempDir } from '../catalog/helper.ts'

const SERVER = process.env['TEST_POSTGRES_URL'] ?? 'postgres://postgres@127.0.0.1:5432/postgres'

/** Runs one statement on the server's own database. */
export async function onServer (statement: string, values: unknown[] = []): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: SERVER, connectionTimeoutMillis: 2000 })
  client.on('error', () => {})
  await client.connect()
  try {
    return await client.query(statement, values)
  } finally {
    await client.end()
  }
}

/** Why PostgreSQL cannot be tested here; nothing where it can. Under CI its absence is a failure. */
export async function postgresMissing (): Promise<string | false> {
  try {
    await onServer('select 1')
    return false
  } catch (error) {
    if (process.env['CI'] === 'true') throw error
    return `no PostgreSQL answers (${(error as NodeJS.ErrnoException).code})`
  }
}

/** A fresh, empty database that goes away with the test. */
export async function freshPostgres (t: Test): Promise<string> {
  const name = `gateway_test_${randomUUID().replaceAll('-', '')}`
  await onServer(`create database ${name}`)
  t.teardown(async () => { await onServer(`drop database ${name} with (force)`) })
  const url = new URL(SERVER)
  url.pathname = `/${name}`
  return url.href
}

/** Cuts every connection to that database whose application name matches. */
export async function cutConnections (url: string, application = '%'): Promise<number> {
  const { rowCount } = await onServer('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and application_name like $2', [new URL(url).pathname.slice(1), application])
  return rowCount ?? 0
}

/** A wire to a database server, which can fail in each of the ways that wires do. */
export interface Wire {
  url: string
  /** Bytes vanish, connections stay. */
  silence: (on: boolean) => void
  /** Every connection breaks and new ones are refused. */
  cut: () => Promise<void>
  /** New connections get through again. */
  mend: () => Promise<void>
}

/** The same database behind a wire. */
export async function wired (t: Test, url: string): Promise<Wire> {
  const { hostname, port } = new URL(url)
  const sockets = new Set<Socket>()
  let silent = false
  const server = createServer(client => {
    const upstream = connect(port === '' ? 5432 : Number(port), hostname)
    for (const [from, into] of [[client, upstream], [upstream, client]] as const) {
      sockets.add(from)
      from.on('data', chunk => { if (!silent) into.write(chunk) }).on('error', () => {}).on('close', () => { sockets.delete(from); into.destroy() })
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port: own } = server.address() as AddressInfo
  const cut = async () => {
    if (!server.listening) return
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  }
  t.teardown(cut)
  const to = new URL(url)
  to.host = `127.0.0.1:${own}`
  return {
    url: to.href,
    silence: on => { silent = on },
    cut,
    mend: async () => {
      server.listen(own, '127.0.0.1')
      await once(server, 'listening')
    }
  }
}

/** Runs a statement on a database past the store, as an operator would. */
export async function byHand (url: string, statement: string): Promise<void> {
  if (url.startsWith('sqlite:')) {
    const file = url.slice('sqlite:'.length)
    mkdirSync(dirname(file), { recursive: true })
    const database = new DatabaseSync(file, { timeout: 1000 })
    database.exec(statement)
    database.close()
    return
  }
  const client = new pg.Client(url)
  await client.connect()
  await client.query(statement).finally(async () => await client.end())
}

/** Both engines by name: how to get a fresh database URL, and why not. */
export const ENGINES: Array<{ engine: string, skip: string | false, freshUrl: (t: Test) => Promise<string> }> = [
  { engine: 'SQLite', skip: false, freshUrl: async t => `sqlite:${join(tempDir(t), 'deep', 'er', 'catalog.db')}` },
  { engine: 'PostgreSQL', skip: await postgresMissing(), freshUrl: freshPostgres }
]
