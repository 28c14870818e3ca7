// Backup and restore as docs/runbook.md describes them: the copy is taken while
// the gateway runs, the catalog is then lost, and a gateway on the restored copy
// lists what it listed when the copy was taken.
import { execFileSync } from 'node:child_process'
import { copyFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { tempDir } from '../catalog/helper.ts'
import { startGateway } from '../helper.ts'
import { freshPostgres, postgresMissing } from '../store/engines.ts'

const KEY = 'the-admin-key-of-this-test'

async function start (t: Test, database: string) {
  const { app, url } = await startGateway(t, { CATALOG_SOURCE: 'database', DATABASE_URL: database, CATALOG_SNAPSHOT_FILE: join(tempDir(t), 'snapshot.json'), ADMIN_API_KEY: KEY })
  return {
    stop: () => app.close(),
    add: async (id: string) => {
      const answer = await fetch(`${url}/admin/models`, { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: JSON.stringify({ id, name: id, type: 'chat' }) })
      t.equal(answer.status, 201)
    },
    list: async () => await (await fetch(`${url}/v1/models`)).text()
  }
}

/** What an operator does on each engine: takes the copy, loses the database, puts the copy back. */
const ENGINES = [
  {
    engine: 'SQLite',
    skip: false as string | false,
    prepare: async (t: Test) => {
      const folder = tempDir(t)
      const [file, copy] = [join(folder, 'catalog.db'), join(folder, 'copy.db')]
      return {
        url: `sqlite:${file}`,
        backup: () => {
          const database = new DatabaseSync(file)
          database.prepare('vacuum into ?').run(copy)
          database.close()
        },
        lose: () => { for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(file + suffix, { force: true }) },
        restore: () => copyFileSync(copy, file)
      }
    }
  },
  {
    engine: 'PostgreSQL',
    skip: await postgresMissing(),
    prepare: async (t: Test) => {
      const url = await freshPostgres(t)
      const file = join(tempDir(t), 'catalog.dump')
      return {
        url,
        backup: () => execFileSync('pg_dump', ['--format=custom', '--file', file, url]),
        lose: () => execFileSync('psql', ['--quiet', '--command', 'drop schema public cascade; create schema public', url], { stdio: 'pipe' }),
        restore: () => execFileSync('pg_restore', ['--exit-on-error', '--clean', '--if-exists', '--dbname', url, file], { stdio: 'pipe' })
      }
    }
  }
]

for (const { engine, skip, prepare } of ENGINES) {
  t.test(engine, { skip }, async t => {
    const { url, backup, lose, restore } = await prepare(t)
    const first = await start(t, url)
    await first.add('before-the-copy')
    const listed = await first.list()
    backup()
    await first.add('after-the-copy')
    await first.stop()
    lose()
    restore()
    const second = await start(t, url)
    t.match(listed, 'before-the-copy')
    t.equal(await second.list(), listed, 'the list of the time of the copy')
    await second.add('after-the-restore')
  })
}
