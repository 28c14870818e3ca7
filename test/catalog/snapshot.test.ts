// What is kept over a restart: all that the list showed, and each list for itself.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { SnapshotFile, type Snapshot } from '../../src/catalog/snapshot.ts'
import { byHand, freshPostgres, postgresMissing, wired } from '../store/engines.ts'
import { buildApp, tempDir, tempFile } from './helper.ts'

async function readBack (file: string) {
  const troubles: unknown[] = []
  return { snapshot: await new SnapshotFile(file, error => troubles.push(error)).read(), troubles }
}

t.test('rows changed by hand do not spoil it', async t => {
  const [CATALOG_SNAPSHOT_FILE, DATABASE_URL] = [join(tempDir(t), 'snapshot.json'), `sqlite:${join(tempDir(t), 'catalog.db')}`]
  const { app } = await buildApp(t, { CATALOG_SOURCE: 'database', DATABASE_URL, CATALOG_SNAPSHOT_FILE })
  await app.ready()
  await byHand(DATABASE_URL, `insert into models (id, name, provider, context_length, description) values
    ('a', '', null, null, ''), ('b', 'B', '', null, ''), ('c', 'C', null, 0, ''), ('d', 'D\n', null, 1.5, ''), ('e', 'E', null, null, '${'x'.repeat(10_001)}')`)
  await app.catalog.refresh()
  const shown = app.catalog.curated()
  t.equal(shown.length, 12)
  await app.close()
  const { snapshot, troubles } = await readBack(CATALOG_SNAPSHOT_FILE)
  t.same(troubles, [])
  t.same(snapshot.curated?.value, shown)
})

t.test('a list that cannot be used does not take the other with it', async t => {
  const from = { origin: 'there', loadedAt: 1 }
  const curated = { ...from, value: [{ id: 'a', name: 'A', description: '', type: 'chat', isActive: true }] }
  const reported = { ...from, value: [{ id: 'b' }] }
  const file = tempFile(t, '')
  for (const [content, expected] of [
    [{ curated, reported }, { curated, reported }],
    [{ curated, reported: { ...from, value: [] } }, { curated }],
    [{ curated: { ...from, value: [{ ...curated.value[0], id: '' }] }, reported }, { reported }],
    [{ curated: { ...from, value: [{ ...curated.value[0], name: 5 }] }, reported }, { reported }]
  ]) {
    writeFileSync(file, JSON.stringify({ format: 1, ...content }))
    const { snapshot, troubles } = await readBack(file)
    t.same(snapshot, { format: 1, ...expected }, readFileSync(file, 'utf8'))
    t.equal(troubles.length, Object.keys(content as object).length - Object.keys(expected as object).length)
  }
})

t.test('where a new database has taken the place of the one that it came from, it is kept aside', async t => {
  const dir = tempDir(t)
  const file = join(dir, 'catalog.db')
  const environment = { CATALOG_SOURCE: 'database', DATABASE_URL: `sqlite:${file}`, CATALOG_SNAPSHOT_FILE: join(dir, 'snapshot.json') }
  const run = async (settings: Record<string, string> = {}) => await buildApp(t, { ...environment, ...settings })
  const curate = async ({ app }: Awaited<ReturnType<typeof run>>, id: string) => {
    await app.modelStore?.change('ann', () => [{ id, name: 'Mine', description: '', type: 'chat', isActive: true }])
    await app.catalog.edited()
    await app.close()
  }
  const asides = () => readdirSync(dir).filter(name => /^snapshot\.kept-\d{8}T\d{9}Z\.json$/.test(name)).toSorted()
  const keptIn = (name: string | undefined) => (JSON.parse(readFileSync(join(dir, String(name)), 'utf8')) as Snapshot).curated?.value.map(({ id }) => id)
  const first = await run()
  await curate(first, 'mine')
  const other = await run({ DATABASE_URL: `sqlite:${file}.other` })
  await other.app.close()
  t.same([...first.log, ...other.log].filter(line => !line.startsWith('DEFAULT_')), [], 'a first start says nothing')
  t.same(asides(), [])

  rmSync(file)
  const second = await run()
  t.equal(second.app.catalog.list().length, 7)
  t.match(second.log[0], 'DATABASE_URL names a new, empty database')
  t.match(second.log[0], asides()[0], 'the warning names the file')
  t.same(keptIn(asides()[0]), ['mine'])
  await curate(second, 'again')

  rmSync(file)
  mkdirSync(file)
  const third = await run()
  t.equal(third.app.catalog.freshness().origin, 'snapshot', 'while the database cannot be used')
  rmdirSync(file)
  await third.app.catalog.refresh()
  t.equal(third.app.catalog.freshness().origin, 'database')
  t.equal(asides().length, 2)
  t.same(keptIn(asides()[1]), ['again'])
  await third.app.close()

  const { log } = await run()
  t.same(log, [])
  t.equal(asides().length, 2, 'they stay')
})

t.test('it stays valid while the URL names the same database', { skip: await postgresMissing() }, async t => {
  const wire = await wired(t, await freshPostgres(t))
  const { host: at, port, pathname } = new URL(wire.url)
  const database = pathname.slice(1)
  const environment = { CATALOG_SOURCE: 'database', CATALOG_SNAPSHOT_FILE: join(tempDir(t), 'snapshot.json'), DATABASE_WAIT: '0' }
  const { app } = await buildApp(t, { ...environment, DATABASE_URL: wire.url })
  await app.close()
  await wire.cut()
  const originWith = async (DATABASE_URL: string) => {
    const { app } = await buildApp(t, { ...environment, DATABASE_URL })
    return app.catalog.freshness().origin
  }
  for (const url of [
    `postgres://postgres:new@${at}/${database}`,
    `postgresql://other:new@${at}/${database}`,
    `postgres://${at}/${database}?user=other&password=new`,
    `postgres://postgres@${at}/${database}?sslmode=disable&application_name=x&connect_timeout=1`,
    `postgres://elsewhere:1/${database}?host=127.0.0.1&port=${port}`
  ]) t.equal(await originWith(url), 'snapshot', url)
  for (const url of [
    `postgres://postgres@${at}/${database}2`,
    `postgres://postgres@127.0.0.2:${port}/${database}`,
    `postgres://postgres@${at}/${database}?options=-csearch_path%3Dother`
  ]) await t.rejects(originWith(url), { name: 'UnavailableError' }, url)
})

t.test('the port of PostgreSQL may be left out', { skip: await postgresMissing() }, async t => {
  const url = new URL(await freshPostgres(t))
  if (!['', '5432'].includes(url.port)) return t.comment('the server has another port')
  const environment = { CATALOG_SOURCE: 'database', CATALOG_SNAPSHOT_FILE: join(tempDir(t), 'snapshot.json') }
  url.port = ''
  const { app } = await buildApp(t, { ...environment, DATABASE_URL: url.href })
  await app.close()
  url.port = '5432'
  url.username = 'no_such_role'
  const { app: restarted } = await buildApp(t, { ...environment, DATABASE_URL: url.href })
  t.equal(restarted.catalog.freshness().origin, 'snapshot')
})

const kept = (origin: string, ...ids: string[]) => ({ format: 1 as const, reported: { origin, loadedAt: Date.now(), value: ids.map(id => ({ id })) } })

t.test('a write that failed is tried again soon, with what is newest', async t => {
  const file = join(tempDir(t), 'snapshot.json')
  const troubles: unknown[] = []
  const snapshots = new SnapshotFile(file, error => troubles.push(error), { reported: 'a' })
  // A folder at the place of the file: it cannot be replaced.
  mkdirSync(file)
  snapshots.keep(kept('a', 'old'))
  while (troubles.length === 0) await delay(5)
  snapshots.keep(kept('a', 'new'))
  while (troubles.length === 1) await delay(5)
  rmdirSync(file)
  while (!existsSync(file)) await delay(10)
  t.same((await readBack(file)).snapshot.reported?.value, [{ id: 'new' }])
  t.same(readdirSync(join(file, '..')), ['snapshot.json'])
  await snapshots.close()
})

t.test('two gateways in one folder keep both their lists', async t => {
  const file = join(tempDir(t), 'snapshot.json')
  const gateway = (origin: string) => new SnapshotFile(file, error => t.fail(String(error)), { reported: origin })
  const [a, b] = [gateway('a'), gateway('b')]
  for (let round = 0; round < 5; round++) {
    a.keep(kept('a', `a${round}`))
    await a.close()
    b.keep(kept('b', `b${round}`))
    await b.close()
  }
  t.same((await gateway('a').read()).reported?.value, [{ id: 'a4' }])
  t.same((await gateway('b').read()).reported?.value, [{ id: 'b4' }])
  t.match(readdirSync(join(file, '..')), ['snapshot.json', /^snapshot\.[0-9a-f]{8}\.json$/].toReversed())
})

t.test('two gateways with the same process id, as in two containers, write at once', async t => {
  const file = join(tempDir(t), 'snapshot.json')
  const [a, b] = [1, 2].map(() => new SnapshotFile(file, error => t.fail(String(error)), { reported: 'a' })) as [SnapshotFile, SnapshotFile]
  for (let round = 0; round < 5; round++) {
    a.keep(kept('a', ...Array.from({ length: 2000 }, (_, index) => `long-${round}-${index}`)))
    b.keep(kept('a', `short-${round}`))
    await Promise.all([a.close(), b.close()])
    const { snapshot, troubles } = await readBack(file)
    t.same(troubles, [])
    t.ok([1, 2000].includes(snapshot.reported?.value.length ?? 0), 'one of the two, whole')
  }
  t.same(readdirSync(join(file, '..')), ['snapshot.json'])
})

t.test('drafts of dead processes go at the start; those of living ones stay', async t => {
  const dir = tempDir(t)
  const file = join(dir, 'snapshot.json')
  const { pid: dead } = spawnSync(process.execPath, ['--version'])
  const names = [`snapshot.json.${dead}`, `snapshot.json.${dead}-5f3b`, `snapshot.json.${process.pid}`, `snapshot.json.${process.ppid}-5f3b`, `snapshot.json.${process.ppid}`, 'snapshot.json.1', 'snapshot.json.bak', 'snapshot.json.0', `other.json.${dead}`]
  for (const name of names) writeFileSync(join(dir, name), 'half a snap')
  const yesterday = Date.now() / 1000 - 24 * 3600
  utimesSync(join(dir, 'snapshot.json.1'), yesterday, yesterday)
  await new SnapshotFile(file, error => t.fail(String(error))).read()
  t.same(readdirSync(dir).toSorted(), [`snapshot.json.${process.ppid}`, `snapshot.json.${process.ppid}-5f3b`, 'snapshot.json.bak', 'snapshot.json.0', `other.json.${dead}`].toSorted())
})

t.test('long lists are written whole', async t => {
  const file = join(tempDir(t), 'snapshot.json')
  const snapshots = new SnapshotFile(file, error => t.fail(String(error)), { reported: 'a', curated: 'c' })
  const ids = Array.from({ length: 1001 }, (_, index) => `model "${index}"`)
  const curated = { origin: 'c', loadedAt: 5, value: ids.map(id => ({ id, name: id, description: '', type: 'chat' as const, isActive: true })) }
  snapshots.keep({ ...kept('a', ...ids), curated })
  await snapshots.close()
  const { snapshot, troubles } = await readBack(file)
  t.same(troubles, [])
  t.same(snapshot.curated, curated)
  t.same(snapshot.reported?.value, ids.map(id => ({ id })))
})
