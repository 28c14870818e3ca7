// The start beside a database that is not there yet: it is waited for, one line a
// try, and then the process ends with exit code 75. A URL that cannot be read
// names what to encode.
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { UnavailableError, ConfigError } from '../../src/config.ts'
import { openStore } from '../../src/store/store.ts'
import { buildApp, tempDir } from '../catalog/helper.ts'
import { freePort } from '../free-port.ts'
import { freshPostgres, postgresMissing, wired } from './engines.ts'

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
  await t.rejects(buildApp(t, { ...withoutSnapshot, DATABASE_WAIT: '0' }), { name: 'UnavailableError', message: /^DATABASE_URL names a database that cannot be used at present: The database is locked by another program/ })

  const waiting = buildApp(t, withoutSnapshot)
  const { app: restarted, log } = await buildApp(t, environment)
  t.equal(restarted.catalog.freshness().origin, 'snapshot')
  t.same(restarted.catalog.list().map(({ id }) => id), ['kept'])
  t.match(log, [/^the catalog could not be read \(database\)/])
  other.exec('rollback')
  await restarted.catalog.refresh()
  t.equal(restarted.catalog.freshness().origin, 'database')
  t.equal((await restarted.modelStore?.one('kept'))?.name, 'Kept')
  t.same((await waiting).app.catalog.list().map(({ id }) => id), ['kept'])
})

t.test('no wait is tried where it does not help', { skip: noPostgres }, async t => {
  const missing = new URL(await freshPostgres(t))
  missing.pathname = '/no_such_database'
  await t.rejects(buildApp(t, { CATALOG_SOURCE: 'database', DATABASE_URL: missing.href }), ConfigError)
})

t.test('a URL that cannot be read', async t => {
  for (const password of ['a/b', 'a#b', 'a?b', 'a%b', '1/2', '1#2', 'a[b/c']) {
    await t.rejects(openStore(`postgres://user:${password}@127.0.0.1:1/catalog`), { message: /percent-encoded: @ as %40, .*# as %23/ }, password)
  }
  const sound = await openStore(`postgres://user:${encodeURIComponent('a/b#c?d%e@f:[g]')}@127.0.0.1:1/catalog?sslmode=disable`)
  await sound.close()
})
