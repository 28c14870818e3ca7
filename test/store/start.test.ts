// The start beside a database that is not there yet: it is waited for, one line a
// try, and then the process ends with exit code 75. A URL that cannot be read
// names what to encode.
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { UnavailableError } from '../../src/config.ts'
import { openStore } from '../../src/store/store.ts'
import { buildApp, tempDir, tempFile } from '../catalog/helper.ts'
import { freePort } from '../free-port.ts'
import { nodeCommand } from '../spawn.ts'
import { freshPostgres, onServer, postgresMissing, wired } from './engines.ts'

const noPostgres = await postgresMissing()

t.test('a database that comes later is waited for', { skip: noPostgres }, async t => {
  const wire = await wired(t, await freshPostgres(t))
  await wire.cut()
  const starting = buildApp(t, { CATALOG_SOURCE: 'database', DATABASE_URL: wire.url })
  await delay(1500)
  await wire.mend()
  const { app, log } = await starting
  t.equal(app.catalog.list().length, 7)
  t.ok(log.length > 0)
  t.same(log.filter(line => !/^The database cannot be reached\. Trying again for \d+ s at most\.$/.test(line)), [], 'one line a try, and no others')
})

t.test('a CATALOG_FILE that changes while the database is waited for', { skip: noPostgres }, async t => {
  const wire = await wired(t, await freshPostgres(t))
  await wire.cut()
  const list = (id: string) => JSON.stringify({ chat: [{ id, name: id, description: '' }] })
  const CATALOG_FILE = tempFile(t, list('before'))
  const starting = buildApp(t, { CATALOG_SOURCE: 'database', DATABASE_URL: wire.url, CATALOG_FILE })
  await delay(1500)
  writeFileSync(CATALOG_FILE, list('changed'))
  await delay(1500)
  await wire.mend()
  const { app } = await starting
  t.same(app.catalog.list().map(({ id }) => id), ['changed'], 'the empty table is filled from the file as it is')
})

t.test('a database that does not come', async t => {
  const started = performance.now()
  await t.rejects(buildApp(t, { CATALOG_SOURCE: 'database', DATABASE_URL: `postgres://u@127.0.0.1:${await freePort()}/x`, DATABASE_WAIT: '1.2' }), UnavailableError)
  t.ok(performance.now() - started > 1200)
  t.equal(new UnavailableError('').exitCode, 75)
})

t.test('a SQLite file that another program keeps locked is waited for; a snapshot stands in', async t => {
  const dir = tempDir(t)
  const file = join(dir, 'catalog.db')
  const environment = { CATALOG_SOURCE: 'database', DATABASE_URL: `sqlite:${file}`, CATALOG_SNAPSHOT_FILE: join(dir, 'snapshot.json') }
  const { app } = await buildApp(t, environment)
  await app.modelStore?.change('ann', () => [{ id: 'kept', name: 'Kept', description: '', type: 'chat', isActive: true }])
  await app.catalog.refresh()
  await app.close()
  const other = new DatabaseSync(file)
  t.teardown(() => other.close())
  other.exec('begin exclusive')

  const withoutSnapshot = { ...environment, CATALOG_SNAPSHOT_FILE: join(dir, 'none.json') }
  const impatient = t.rejects(buildApp(t, { ...withoutSnapshot, DATABASE_WAIT: '0' }), { name: 'UnavailableError', message: /^DATABASE_URL names a database that cannot be used at present: The database is locked by another program/ })
  const waiting = buildApp(t, withoutSnapshot)
  const { app: restarted, log } = await buildApp(t, environment)
  await impatient
  t.equal(restarted.catalog.freshness().origin, 'snapshot')
  t.same(restarted.catalog.list().map(({ id }) => id), ['kept'])
  t.match(log, [/^the catalog could not be read \(database\)/])
  other.exec('rollback')
  await restarted.catalog.refresh()
  t.equal(restarted.catalog.freshness().origin, 'database')
  t.equal((await restarted.modelStore?.one('kept'))?.name, 'Kept')
  t.same((await waiting).app.catalog.list().map(({ id }) => id), ['kept'])
})

t.test('no wait is tried where it does not help, and the line says why', { skip: noPostgres }, async t => {
  const url = await freshPostgres(t)
  const changed = (change: (url: URL) => void) => {
    const other = new URL(url)
    change(other)
    return other.href
  }
  const refuses = async (DATABASE_URL: string, why: string | RegExp) => {
    await t.rejects(buildApp(t, { CATALOG_SOURCE: 'database', DATABASE_URL }), { name: 'ConfigError', message: why }, String(why))
  }
  const unusable = 'DATABASE_URL names a database that cannot be used: '
  await refuses(changed(url => { url.pathname = '/no_such_database' }), `${unusable}The database does not exist: database "no_such_database" does not exist`)
  await refuses(changed(url => { url.username = 'no_such_role' }), `${unusable}The database refuses the login of the gateway: role "no_such_role" does not exist`)

  const closed = await freshPostgres(t)
  await onServer(`alter database ${new URL(closed).pathname.slice(1)} allow_connections false`)
  await refuses(closed, /The database failed: database ".*" is not currently accepting connections$/)

  const [wrongPassword, port] = await refusingServer(t, 'password authentication failed for user "gateway"', '28P01')
  await refuses(`postgres://gateway:hunter2@127.0.0.1:${port}/x`, `${unusable}The database refuses the login of the gateway: ${wrongPassword}`)
})

t.test('a SQLite file that cannot be opened: the line says why', { skip: process.getuid?.() !== 0 && 'only root may start a process as another user' }, async t => {
  const dir = tempDir(t)
  chmodSync(dir, 0o755)
  const file = join(dir, 'catalog.db')
  writeFileSync(file, '', { mode: 0o000 })
  const start = (path: string) => spawnSync(...nodeCommand(['src/server.ts'], { PORT: '0', CATALOG_SOURCE: 'database', DATABASE_URL: `sqlite:${path}`, CATALOG_SNAPSHOT_FILE: join(dir, 'snapshot.json') }), {
    uid: 65534, gid: 65534, encoding: 'utf8', timeout: 20_000
  })
  for (const [path, why] of [[file, `EACCES: permission denied, access '${file}'`], [join(dir, 'new.db'), `EACCES: permission denied, open '${join(dir, 'new.db')}'`], [dir, 'unable to open database file']] as const) {
    const { status, stderr } = start(path)
    t.equal(status, 78)
    t.equal(stderr, `The configuration is not usable:\n  DATABASE_URL names a database that cannot be used: The file of the database cannot be opened: ${why}\n`)
  }
})

/** A server that ends each login with an error, as PostgreSQL writes it. @returns the error's message, and the port */
async function refusingServer (t: Test, message: string, code: string): Promise<[message: string, port: number]> {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`)
  const head = Buffer.from('E    ')
  head.writeInt32BE(4 + fields.length, 1)
  const server = createServer(socket => { socket.on('error', () => {}).once('data', () => socket.end(Buffer.concat([head, fields]))) }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return [message, (server.address() as AddressInfo).port]
}

t.test('a URL that cannot be read', async t => {
  for (const password of ['a/b', 'a#b', 'a?b', 'a%b', '1/2', '1#2', 'a[b/c']) {
    await t.rejects(openStore(`postgres://user:${password}@127.0.0.1:1/catalog`), { message: /percent-encoded: @ as %40, .*# as %23/ }, password)
  }
  const sound = await openStore(`postgres://user:${encodeURIComponent('a/b#c?d%e@f:[g]')}@127.0.0.1:1/catalog?sslmode=disable`)
  await sound.close()
})
