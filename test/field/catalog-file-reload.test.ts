// A catalog file that changes while the gateway runs: written in place, renamed
// over (as editors do), or swapped by a symbolic link above it (as Kubernetes does
// with a ConfigMap: the file is a link into `..data`, which is a link to a folder
// of that version, and is renamed over). A file that is wrong is reported with its
// place, and the list stays.
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { startApp, tempDir } from '../catalog/helper.ts'

const list = (...ids: string[]) => JSON.stringify({ chat: ids.map(id => ({ id, name: id, description: '' })) })
const models = { DEFAULT_CHAT_MODEL: 'kept', DEFAULT_IMAGE_MODEL: 'kept' }

async function gateway (t: Test, CATALOG_FILE: string, environment: Record<string, string> = {}) {
  const { url, app, log } = await startApp(t, { CATALOG_FILE, ...models, ...environment })
  const ids = async () => (await (await fetch(`${url}/v1/models`)).json() as Array<{ id: string }>).map(({ id }) => id).join()
  return { app, log, ids, becomes: async (wanted: string) => { while (await ids() !== wanted) await delay(20) } }
}

t.test('written in place, and renamed over', async t => {
  const file = join(tempDir(t), 'catalog.json')
  writeFileSync(file, list('a'))
  const { becomes } = await gateway(t, file)
  await becomes('a')
  writeFileSync(file, list('a', 'b'))
  await becomes('a,b')
  writeFileSync(`${file}.new`, list('c'))
  renameSync(`${file}.new`, file)
  await becomes('c')
})

t.test('a ConfigMap\'s swap of its symbolic link', async t => {
  const dir = tempDir(t)
  const version = (name: string, content: string) => {
    mkdirSync(join(dir, name))
    writeFileSync(join(dir, name, 'catalog.json'), content)
    symlinkSync(name, join(dir, '..data_tmp'))
    renameSync(join(dir, '..data_tmp'), join(dir, '..data'))
  }
  version('..2025_05_01', list('first'))
  symlinkSync(join('..data', 'catalog.json'), join(dir, 'catalog.json'))
  const { becomes } = await gateway(t, join(dir, 'catalog.json'))
  await becomes('first')
  version('..2025_05_02', list('second'))
  rmSync(join(dir, '..2025_05_01'), { recursive: true })
  await becomes('second')
})

t.test('a wrong file is reported with its place, and the list stays', async t => {
  const file = join(tempDir(t), 'catalog.json')
  writeFileSync(file, list('kept'))
  const { app, log, ids, becomes } = await gateway(t, file)
  writeFileSync(file, '{"chat":[{"id":"x","name":"X","description":"","createdAt":"2025-05-01"},{"id":"y"}]}')
  while (log.length < 2) await delay(20)
  t.equal(await ids(), 'kept')
  const problem = `CATALOG_FILE ${file}: /chat/0/createdAt must be a time in UTC with milliseconds, such as 2025-05-01T00:00:00.000Z`
  t.match(log.filter(line => line.startsWith('CATALOG_FILE')), [`${problem}; the last good list stays`, /\/chat\/1\/name is missing; the last good list stays$/])
  t.match(app.catalog.status(), { lastError: { message: new RegExp(problem.slice(-60)) } })
  rmSync(file)
  while (!log.some(line => line.includes('cannot be read (ENOENT)'))) await delay(20)
  t.equal(await ids(), 'kept')
  writeFileSync(file, list('mended'))
  await becomes('mended')
  t.match(app.catalog.status(), { lastError: null, lastFailure: { message: /ENOENT/ } })
})

t.test('read again on demand, at once', async t => {
  const file = join(tempDir(t), 'catalog.json')
  writeFileSync(file, list('kept'))
  const { app, ids } = await gateway(t, file)
  writeFileSync(file, list('new'))
  await app.catalog.reloadStatic()
  t.equal(await ids(), 'new')
})

t.test('with a database the file only fills an empty table: the list stays', async t => {
  const dir = tempDir(t)
  const file = join(dir, 'catalog.json')
  writeFileSync(file, list('kept'))
  const { app, ids } = await gateway(t, file, { CATALOG_SOURCE: 'database', DATABASE_URL: `sqlite:${join(dir, 'catalog.db')}` })
  writeFileSync(file, list('new'))
  await app.catalog.reloadStatic()
  t.equal(await ids(), 'kept')
})
