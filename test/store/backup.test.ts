// A backup, and the way back: the copy that the admin API gives, and those that
// docs/catalog.md names (`cp`, `VACUUM INTO`, `pg_dump`), each put in place of a
// lost database.
import { execFileSync } from 'node:child_process'
import { copyFileSync, readdirSync, writeFileSync } from 'node:fs'
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

t.test('PostgreSQL', { skip: await postgresMissing() }, async t => {
  const url = await freshPostgres(t)
  const { backup, rename } = await gateway(t, url)
  t.equal(await rename('Before'), 200)
  const refused = await backup()
  t.equal(refused.status, 409)
  t.match(await refused.json(), { error: { code: 'conflict', message: /pg_dump/ } })

  const run = (tool: string, args: string[], input?: string) => execFileSync(tool, args, { encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'], ...(input !== undefined && { input }) })
  let dump: string
  try {
    dump = run('pg_dump', [url])
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || process.env['CI'] === 'true') throw error
    return t.skip('pg_dump is not installed')
  }
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
