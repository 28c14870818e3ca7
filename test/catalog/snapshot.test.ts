// What is kept over a restart: all that the list showed, and each list for itself.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { SnapshotFile } from '../../src/catalog/snapshot.ts'
import { byHand } from '../store/engines.ts'
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
