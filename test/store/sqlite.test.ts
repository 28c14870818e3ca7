// A lock that another process holds on the SQLite file must not hold up the
// event loop, on which every request is served.
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { sqliteEngine } from '../../src/store/sqlite.ts'
import { openStore } from '../../src/store/store.ts'
import { tempDir } from '../catalog/helper.ts'

t.test('an edit waits for the other writer, and the process goes on meanwhile', async t => {
  const file = join(tempDir(t), 'catalog.db')
  const store = await openStore(`sqlite:${file}`)
  t.teardown(async () => await store.close())
  await store.prepare([])
  const other = new DatabaseSync(file)
  other.exec('begin immediate')

  const loop = monitorEventLoopDelay({ resolution: 5 })
  loop.enable()
  let done = false
  const edit = store.change('ann', () => [{ id: 'm', name: 'm', description: '', type: 'chat', isActive: true }]).then(changes => { done = true; return changes })
  await delay(600)
  // What held the loop up is only counted when the loop turns again.
  await delay(50)
  loop.disable()
  t.equal(done, false, 'it waits')
  t.ok(loop.max / 1e6 < 200, `the loop stood still for ${Math.round(loop.max / 1e6)} ms`)
  t.same((await store.contents()).placed, [], 'readers do not wait')
  other.exec('commit')
  other.close()
  t.equal((await edit).length, 1)
})

t.test('a read that met the lock of another writer keeps no lock itself', async t => {
  const file = join(tempDir(t), 'catalog.db')
  const store = await openStore(`sqlite:${file}`)
  await store.prepare([])
  await store.close()
  const engine = sqliteEngine(file)
  t.teardown(async () => await engine.close())
  t.same(await engine.models(engine.db), [])
  const other = new DatabaseSync(file, { timeout: 0 })
  t.teardown(() => other.close())
  other.exec('begin exclusive')
  await t.rejects(engine.models(engine.db), { message: 'database is locked' })
  other.exec('rollback')
  t.same(await engine.models(engine.db), [])
  t.doesNotThrow(() => other.exec('update catalog_revision set number = number + 1'))
})

t.test('the file and its folders are made; a path that cannot be is a clear error', async t => {
  const dir = tempDir(t)
  const store = await openStore(`sqlite:${join(dir, 'a', 'b', 'c.db')}`)
  await store.prepare([])
  await store.close()
  const folder = await openStore(`sqlite:${dir}`)
  t.teardown(async () => await folder.close())
  await t.rejects(folder.prepare([]), { name: 'StoreFailure', kind: 'unopenable', cause: { message: /unable to open database file/ } })
})
