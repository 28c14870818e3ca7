// A backup, and the way back: the copy that the admin API gives, and those that
// docs/catalog.md names (`cp`, `VACUUM INTO`, `pg_dump`), each put in place of a
// lost database.
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { startApp, tempDir } from '../catalog/helper.ts'
import { freshPostgres, postgresMissing } from './engines.ts'

const KEY = 'the-admin-key-of-a-test'
const headers = { authorization: `Bearer ${KEY}` }

async function gateway (t: Test, DATABASE_URL?: string) {
  const { url } = await startApp(t, { ADMIN_API_KEY: KEY, ...(DATABASE_URL !== undefined && { CATALOG_SOURCE: 'database', DATABASE_URL }) })
  return {
    backup: async () => await fetch(`${url}/admin/backup`, { headers }),
    rename: async (name: string) => (await fetch(`${url}/admin/models/sdxl`, { method: 'PATCH', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify({ name }) })).status,
    name: async () => ((await (await fetch(`${url}/v1/models/sdxl`)).json()) as { name: string }).name
  }
}

const left = () => readdirSync(tmpdir()).filter(name => name.startsWith('model-gateway-backup-'))

t.test('SQLite', async t => {
  const dir = tempDir(t)
  const file = join(dir, 'catalog.db')
  const { backup, rename, name } = await gateway(t, `sqlite:${file}`)
  t.equal(await rename('Before'), 200)

  const answer = await backup()
  t.equal(answer.status, 200)
  t.match(answer.headers.get('content-disposition'), /attachment; filename="catalog\.db"/)
  writeFileSync(join(dir, 'api.db'), Buffer.from(await answer.arrayBuffer()))
  copyFileSync(file, join(dir, 'cp.db'))
  const database = new DatabaseSync(file)
  database.prepare('vacuum into ?').run(join(dir, 'vacuum.db'))
  database.close()
  t.equal(await rename('After'), 200)
  t.equal(await name(), 'After')

  for (const copy of ['api.db', 'cp.db', 'vacuum.db']) {
    const restored = await gateway(t, `sqlite:${join(dir, copy)}`)
    t.equal(await restored.name(), 'Before', copy)
    t.equal(await restored.rename('Again'), 200, `${copy} can be edited`)
  }
  t.same(left(), [], 'no draft of a backup is left')
})

t.test('SQLite: a folder for temporary files that cannot hold the copy', async t => {
  const dir = tempDir(t)
  const { backup } = await gateway(t, `sqlite:${join(dir, 'catalog.db')}`)
  const before = process.env['TMPDIR']
  t.teardown(() => {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
  })
  const refuses = async (t: Test, folder: string) => {
    process.env['TMPDIR'] = folder
    const answer = await backup()
    t.equal(answer.status, 503)
    t.match(await answer.json(), { error: { code: 'not_ready', message: 'The copy cannot be written to the folder for temporary files (TMPDIR): it is full, missing or not writable.' } })
  }
  await t.test('missing', async t => await refuses(t, join(dir, 'missing')))
  const full = join(dir, 'full')
  mkdirSync(full)
  const isMounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', full]).status === 0
  t.teardown(() => { spawnSync('umount', ['--lazy', full]) })
  await t.test('full', { skip: !isMounted && process.env['CI'] !== 'true' && 'no file system may be mounted here' }, async t => {
    await refuses(t, full)
    t.same(readdirSync(full), [], 'no draft is left')
  })
})

const noDump = spawnSync('pg_dump', ['--version']).error !== undefined && process.env['CI'] !== 'true' && 'pg_dump is not installed'

t.test('PostgreSQL', { skip: await postgresMissing() || noDump }, async t => {
  const url = await freshPostgres(t)
  const { backup, rename } = await gateway(t, url)
  t.equal(await rename('Before'), 200)
  const refused = await backup()
  t.equal(refused.status, 409)
  t.match(await refused.json(), { error: { code: 'conflict', message: /pg_dump/ } })

  const run = (tool: string, args: string[], input?: string) => execFileSync(tool, args, { encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'], ...(input !== undefined && { input }) })
  const dump = run('pg_dump', [url])
  t.equal(await rename('After'), 200)
  const elsewhere = await freshPostgres(t)
  run('psql', ['--quiet', '--set', 'ON_ERROR_STOP=1', elsewhere], dump)
  const restored = await gateway(t, elsewhere)
  t.equal(await restored.name(), 'Before')
  t.equal(await restored.rename('Again'), 200)
})

t.test('no database, no backup', async t => {
  const { backup } = await gateway(t)
  t.equal((await backup()).status, 409)
})
