// A database that fails: the client, and the log, are told the cause and not the
// rollback that followed. Where nobody knows whether a change was made, the
// answer says so.
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import t, { type Test } from 'tap'
import { openStore } from '../../src/store/store.ts'
import { startApp, tempDir } from '../catalog/helper.ts'
import { eventually } from '../helper.ts'
import { byHand, freshPostgres, onServer, postgresMissing } from './engines.ts'

const KEY = 'the-admin-key-of-a-test'
const noPostgres = await postgresMissing()
const model = (id: string, description = '') => ({ id, name: id, description, type: 'chat' as const, isActive: true })

function edits (url: string) {
  return async (id: string, patch: object) => {
    const response = await fetch(`${url}/admin/models/${id}`, { method: 'PATCH', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: JSON.stringify(patch) })
    return { status: response.status, error: ((await response.json()) as { error?: { code: string, message: string } }).error }
  }
}

async function gateway (t: Test, DATABASE_URL: string) {
  const { url, log, lines } = await startApp(t, { CATALOG_SOURCE: 'database', DATABASE_URL, ADMIN_API_KEY: KEY })
  return { edit: edits(url), log, lines }
}

/** A file system of 256 KiB. */
function mountSmallDisk (dir: string): boolean {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', dir]).status === 0
}

const unmount = (dir: string) => { spawnSync('umount', ['--lazy', dir]) }

const probe = tempDir(t)
const mayMount = mountSmallDisk(probe)
unmount(probe)

t.test('SQLite: a full disk', { skip: !mayMount && process.env['CI'] !== 'true' && 'no file system may be mounted here' }, async t => {
  const dir = tempDir(t)
  mountSmallDisk(dir)
  t.teardown(() => unmount(dir))
  const { edit, log } = await gateway(t, `sqlite:${join(dir, 'catalog.db')}`)
  writeFileSync(join(dir, 'filler'), '')
  try {
    writeFileSync(join(dir, 'filler'), Buffer.alloc(1024 * 1024))
  } catch {
    // Now it is full.
  }
  t.match(await edit('sdxl', { description: 'x'.repeat(10_000) }), { status: 503, error: { code: 'not_ready', message: 'The disk of the database is full.' } })
  t.match(log.at(-1), 'The disk of the database is full.')
  rmSync(join(dir, 'filler'))
  t.equal((await edit('sdxl', { description: 'x' })).status, 200, 'with room again, the edit works')
})

t.test('SQLite: a file that another program keeps locked', async t => {
  const file = join(tempDir(t), 'catalog.db')
  const store = await openStore(`sqlite:${file}`)
  t.teardown(async () => await store.close())
  await store.prepare([])
  const other = new DatabaseSync(file)
  other.exec('begin exclusive')
  await t.rejects(store.change('ann', () => [model('a')]), { name: 'StoreFailure', kind: 'locked', message: 'The database is locked by another program.', uncertain: false })
  other.exec('rollback')
  other.close()
  t.equal((await store.change('ann', () => [model('a')])).length, 1)
})

t.test('SQLite: a file that is deleted or replaced underneath', async t => {
  const dir = tempDir(t)
  const file = join(dir, 'catalog.db')
  const { edit } = await gateway(t, `sqlite:${file}`)
  const message = 'The file of the database was deleted or replaced while the gateway was running. Move the same file back; or restore a backup and restart. A restart without the file begins a new, empty database.'
  const gone = { status: 503, error: { message } }
  renameSync(file, `${file}.away`)
  t.match(await edit('sdxl', { name: 'Lost' }), gone)
  writeFileSync(file, readFileSync(`${file}.away`))
  t.match(await edit('sdxl', { name: 'Lost' }), gone, 'a copy in its place is another file')
  renameSync(`${file}.away`, file)
  t.equal((await edit('sdxl', { name: 'Kept' })).status, 200, 'put back, it is used again')
})

t.test('the log has the error of the database, wherever it fails', async t => {
  const file = join(tempDir(t), 'catalog.db')
  const { app, lines, url } = await startApp(t, { CATALOG_SOURCE: 'database', DATABASE_URL: `sqlite:${file}`, ADMIN_API_KEY: KEY })
  rmSync(file)
  await app.catalog.refresh()
  await fetch(`${url}/admin/catalog/refresh`, { method: 'POST', headers: { authorization: `Bearer ${KEY}` } })
  const noticed = 'edits by other processes are not noticed until the database answers again'
  await eventually(() => lines.some(({ msg }) => msg === noticed), 5000)
  for (const msg of [/^the catalog could not be read \(database\)/, /^the other gateways .* could not be asked/, noticed]) {
    t.equal(lines.find(line => line.msg.match(msg))?.err?.message, `${file} was deleted`, String(msg))
  }
})

t.test('SQLite: the file is whole between two changes, and private', async t => {
  const dir = join(tempDir(t), 'data')
  const file = join(dir, 'catalog.db')
  const { edit } = await gateway(t, `sqlite:${file}`)
  t.equal((await edit('sdxl', { name: 'In the file' })).status, 200)
  const copy = join(dir, 'copy.db')
  writeFileSync(copy, readFileSync(file))
  const database = new DatabaseSync(copy, { readOnly: true })
  t.same({ ...database.prepare('select name from models where id = \'sdxl\'').get() }, { name: 'In the file' }, 'a copy of the file has the last edit')
  database.close()
  t.same([dir, file].map(path => statSync(path).mode & 0o777), [0o700, 0o600])
})

t.test('SQLite: a file with the write-ahead log of an earlier version', async t => {
  const dir = tempDir(t)
  const file = join(dir, 'catalog.db')
  mkdirSync(dir, { recursive: true })
  const old = new DatabaseSync(file)
  old.exec('pragma journal_mode = wal; create table notes (text); insert into notes values (\'kept\')')
  const { edit } = await gateway(t, `sqlite:${file}`)
  t.equal((await edit('sdxl', { name: 'In the file' })).status, 200, 'while another process has it open')
  const copy = join(dir, 'copy.db')
  writeFileSync(copy, readFileSync(file))
  const database = new DatabaseSync(copy)
  t.same({ ...database.prepare('select name from models where id = \'sdxl\'').get() }, { name: 'In the file' })
  database.close()
  old.close()
})

t.test('PostgreSQL: a server that is read-only, and a role without rights', { skip: noPostgres }, async t => {
  const url = await freshPostgres(t)
  const first = await openStore(url)
  await first.prepare([model('a'), model('sdxl')])
  await first.close()
  const role = `gateway_test_${randomUUID().replaceAll('-', '')}`
  await onServer(`create role ${role} login`)
  t.teardown(async () => {
    await byHand(url, `drop owned by ${role}`)
    await onServer(`drop role ${role}`)
  })
  await byHand(url, `grant select on all tables in schema public to ${role}; revoke create on schema public from public`)
  const asRole = new URL(url)
  asRole.username = role

  const reader = await gateway(t, asRole.href)
  t.match(await reader.edit('a', { name: 'A' }), { status: 409, error: { code: 'conflict', message: 'The database does not permit this to the gateway: its user lacks a right.' } })
  t.match(reader.lines.at(-1), { msg: 'The database does not permit this to the gateway: its user lacks a right.', err: { message: /^permission denied for table/ } }, 'the log names what is missing')
  await byHand(url, `grant update, insert, delete on all tables in schema public to ${role}`)
  t.equal((await reader.edit('a', { name: 'A' })).status, 200, 'a right to create tables is not needed where they are there')

  await onServer(`alter role ${role} set default_transaction_read_only = on`)
  const readOnly = await gateway(t, asRole.href)
  t.match(await readOnly.edit('a', { name: 'B' }), { status: 409, error: { code: 'conflict', message: 'The database is read-only.' } })
  t.match(readOnly.lines.at(-1), { msg: 'The database is read-only.', err: { message: /read-only transaction/ } })
  await onServer(`alter role ${role} reset default_transaction_read_only`)

  const empty = new URL(await freshPostgres(t))
  await byHand(empty.href, 'revoke create on schema public from public')
  empty.username = role
  const store = await openStore(empty.href)
  t.teardown(async () => await store.close())
  await t.rejects(store.prepare([]), { message: /^Its tables are missing or of an earlier version, and the gateway cannot make them\..*Start the gateway once with a user who may create/ })
})

t.test('PostgreSQL: a connection that is lost while the change is committed', { skip: noPostgres }, async t => {
  const url = await freshPostgres(t)
  const target = new URL(url)
  const { hostname, port } = target
  // Passes everything on, but ends the connection in place of a commit's answer.
  let armed = false
  const server = createServer(client => {
    const upstream = connect(port === '' ? 5432 : Number(port), hostname)
    client.on('error', () => {}).on('close', () => upstream.destroy())
    upstream.on('error', () => {}).on('close', () => client.destroy())
    upstream.pipe(client, { end: false })
    client.on('data', bytes => {
      if (armed && bytes.includes('commit')) upstream.unpipe(client).once('data', () => client.destroy()).resume()
      upstream.write(bytes)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  target.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const { edit } = await gateway(t, target.href)
  armed = true
  t.match(await edit('sdxl', { name: 'Perhaps' }), { status: 503, error: { message: /^The connection to the database was lost\. The change may have been made all the same/ } })
  armed = false
  const store = await openStore(url)
  t.teardown(async () => await store.close())
  t.equal((await store.one('sdxl'))?.name, 'Perhaps', 'and here it was')
})
