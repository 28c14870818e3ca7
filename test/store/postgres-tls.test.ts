// PostgreSQL over TLS, with real certificates: sslmode=verify-full and sslrootcert
// in DATABASE_URL, as docs/catalog.md says. A server that cannot prove who it is
// gets no password. Starts a PostgreSQL of its own.
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, existsSync, globSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openStore } from '../../src/store/store.ts'
import { tempDir } from '../catalog/helper.ts'
import { makeCertificates, type Certificates } from '../faults/certificates.ts'
import { freePort } from '../free-port.ts'

const tools = globSync('/usr/lib/postgresql/*/bin/initdb').toSorted().at(-1)?.replace(/\/initdb$/, '')
const isRoot = process.getuid?.() === 0
const skip = tools !== undefined || process.env['CI'] === 'true' ? false : 'initdb is not installed'

/** Runs a tool as a user whom PostgreSQL accepts: not root. */
function run (tool: string, args: string[]): string {
  const path = join(tools as string, tool)
  return isRoot ? execFileSync('runuser', ['-u', 'postgres', '--', path, ...args], { encoding: 'utf8', stdio: 'pipe' }) : execFileSync(path, args, { encoding: 'utf8', stdio: 'pipe' })
}

/** A server that takes TLS connections only, with a password, and shows that certificate. */
async function server (t: Test, certificates: Certificates): Promise<{ port: number, show: (identity: 'good' | 'wrongName') => void }> {
  const dir = tempDir(t)
  const data = join(dir, 'data')
  const passwords = join(dir, 'password')
  writeFileSync(passwords, 'p@ss/word')
  mkdirSync(data, { mode: 0o700 })
  chmodSync(dir, 0o755)
  const own = (path: string) => {
    if (!isRoot) return
    const [uid, gid] = ['-u', '-g'].map(flag => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' })))
    chownSync(path, uid as number, gid as number)
  }
  for (const path of [data, passwords]) own(path)
  run('initdb', ['--pgdata', data, '--username', 'owner', '--pwfile', passwords, '--auth', 'scram-sha-256', '--no-sync', '--encoding', 'UTF8'])
  const port = await freePort()
  const show = (identity: 'good' | 'wrongName') => {
    for (const [name, content] of [['server.key', certificates[identity].key], ['server.crt', certificates[identity].cert]] as const) {
      writeFileSync(join(data, name), content, { mode: 0o600 })
      own(join(data, name))
    }
    if (existsSync(join(data, 'postmaster.pid'))) run('pg_ctl', ['--pgdata', data, 'reload'])
  }
  show('good')
  writeFileSync(join(data, 'pg_hba.conf'), 'hostssl all all 127.0.0.1/32 scram-sha-256\n')
  run('pg_ctl', ['--pgdata', data, '--wait', '--log', join(data, 'log'), '--options', `-p ${port} -c ssl=on -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c shared_buffers=8MB`, 'start'])
  t.teardown(() => { run('pg_ctl', ['--pgdata', data, '--mode', 'immediate', 'stop']) })
  return { port, show }
}

t.test('TLS', { skip }, async t => {
  const certificates = makeCertificates(tempDir(t))
  const { port, show } = await server(t, certificates)
  const url = (query: string, host = 'localhost') => `postgres://owner:${encodeURIComponent('p@ss/word')}@${host}:${port}/postgres${query}`
  const connects = async (t: Test, query: string, host?: string) => {
    const store = await openStore(url(query, host))
    t.teardown(async () => await store.close())
    await store.prepare([{ id: 'a', name: 'A', description: '', type: 'chat', isActive: true }])
    return (await store.contents()).placed.length
  }
  const trusted = `?sslmode=verify-full&sslrootcert=${encodeURIComponent(certificates.authority)}`

  t.equal(await connects(t, trusted), 1, 'the certificate of our authority is believed')
  t.equal(await connects(t, trusted, '127.0.0.1'), 1, 'by address too')
  await t.rejects(connects(t, ''), 'without TLS this server takes nobody')
  await t.rejects(connects(t, '?sslmode=verify-full'), 'an authority that nobody named is not believed')
  await t.rejects(connects(t, `?sslmode=verify-full&sslrootcert=${encodeURIComponent(certificates.stranger)}`), 'nor another one')
  show('wrongName')
  let refused = false
  for (let tries = 0; tries < 50 && !refused; tries++) refused = await connects(t, trusted).then(() => false, () => true)
  t.ok(refused, 'nor is a certificate for another name')
})
