// A key is rotated without a restart: its file is written anew, SIGHUP is sent, and
// from then on the new key opens the gateway and the old one does not. Streams that
// run go on. A file that is no good changes nothing.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'
import { startPair } from '../clients.ts'
import { startFakeInference } from '../fake-inference.ts'
import { eventually, post, rawClient } from '../helper.ts'
import { spawnGateway, type GatewayProcess } from '../spawn.ts'
import { cutConnections, freshPostgres, onServer, postgresMissing } from '../store/engines.ts'
import { ask } from './helper.ts'

const OLD = 'alice:old-key-of-alice-1'
const NEW = 'alice:new-key-of-alice-2'
const keyOf = (entry: string) => entry.split(':')[1]!

/** Sends SIGHUP and waits for what the log says then. */
async function hangUp ({ child, out, output }: GatewayProcess, says: RegExp): Promise<void> {
  const before = out().length
  child.kill('SIGHUP')
  await eventually(() => says.test(out().slice(before)), 5000, output)
}

async function start (t: Test) {
  const standIn = await startFakeInference({ tokens: 40, tokensPerSecond: 20 })
  t.teardown(() => standIn.close())
  const folder = t.testdir({ keys: OLD, admin: 'bob:admin-key-of-bob-1' })
  const file = (name: string) => join(folder, name)
  const gateway = await spawnGateway(t, { INFERENCE_SERVICE_URL: standIn.url, API_KEYS_FILE: file('keys'), ADMIN_API_KEY_FILE: file('admin') })
  const status = async (entry: string, path = '/v1/models') => (await ask(gateway.port, { path, headers: { 'x-api-key': keyOf(entry) } })).status
  return { gateway, status, file }
}

t.test('a rotated key, with a stream running under the old one', async t => {
  const { gateway, status, file } = await start(t)
  t.same([await status(OLD), await status(NEW)], [200, 401])
  const stream = await rawClient(gateway.port, post('/v1/chat/completions', '{"stream":true}', { 'x-api-key': keyOf(OLD) }))
  await stream.until(/data: /)

  writeFileSync(file('keys'), `${OLD}\n${NEW}\n`)
  await hangUp(gateway, /read again: keys/)
  t.same([await status(OLD), await status(NEW)], [200, 200], 'both, while clients change over')
  writeFileSync(file('keys'), NEW)
  writeFileSync(file('admin'), 'bob:admin-key-of-bob-2')
  await hangUp(gateway, /read again: keys/)
  t.same([await status(OLD), await status(NEW)], [401, 200])
  t.same([await status('bob:admin-key-of-bob-1', '/admin/catalog'), await status('bob:admin-key-of-bob-2', '/admin/catalog')], [401, 200])

  await stream.until(/data: \[DONE\]\n\n\r\n0\r\n\r\n$/, 10_000)
  t.notMatch(gateway.output(), /key-of-/)
})

t.test('files that are no good are reported, and the keys stay', async t => {
  const { gateway, status, file } = await start(t)
  for (const [name, content, says] of [['keys', '', /not empty/], ['keys', 'a b', /API_KEYS must be keys/], ['admin', keyOf(OLD), /must not be one of API_KEYS/]] as const) {
    writeFileSync(file(name), content)
    await hangUp(gateway, new RegExp(`"level":50.*${says.source}.*could not be read again.*keys`))
    t.same([await status(OLD), await status(NEW), await status('x:'), gateway.child.exitCode], [200, 401, 401, null])
    writeFileSync(file('keys'), OLD)
  }
})

t.test('SIGHUP never ends a gateway that has no files, nor when it comes often', async t => {
  const gateway = await spawnGateway(t, {})
  for (let i = 0; i < 20; i++) gateway.child.kill('SIGHUP')
  await hangUp(gateway, /read again/)
  t.equal((await ask(gateway.port)).status, 200)
  gateway.child.kill('SIGTERM')
  t.equal(await gateway.ended, 0)
})

/** A module that sends SIGHUP to its own process when the gateway's modules begin to load. */
const HANGS_UP_EARLY = `
import { registerHooks } from 'node:module'
registerHooks({
  load (url, context, next) {
    if (url.endsWith('/src/app.ts')) {
      console.log('hung up')
      process.kill(process.pid, 'SIGHUP')
    }
    return next(url, context)
  }
})`

t.test('SIGHUP while the gateway loads its modules does not end it', async t => {
  const preload = join(t.testdir({ 'preload.mjs': HANGS_UP_EARLY }), 'preload.mjs')
  const gateway = await spawnGateway(t, { NODE_OPTIONS: `--import=${pathToFileURL(preload)}` })
  t.match(gateway.output(), /^hung up$/m)
  t.equal((await ask(gateway.port)).status, 200)
})

t.test('app.reload: one task that fails does not keep the others from running, and calls during a run become one more', async t => {
  const { gateway: { app } } = await startPair(t)
  const ran: string[] = []
  app.reload.register('a', async () => { ran.push('a') })
  app.reload.register('b', () => { throw new Error('no good') })
  app.reload.register('c', async () => { ran.push('c') })
  await app.reload.run()
  t.same(ran, ['a', 'c'])
  await Promise.all([app.reload.run(), app.reload.run(), app.reload.run(), app.reload.run()])
  t.same(ran, ['a', 'c', 'a', 'c', 'a', 'c'])
})

t.test('the inference key in force is the one last read; keys cannot be set or unset as a whole', async t => {
  const { gateway: { app } } = await startPair(t, { INFERENCE_API_KEY: 'i1', API_KEYS: 'k1' })
  t.equal(app.credentials.inferenceKey, 'i1')
  app.credentials.renew({ API_KEYS: ['k2'], ADMIN_API_KEY: [], INFERENCE_API_KEY: 'i2' })
  t.equal(app.credentials.inferenceKey, 'i2')
  t.throws(() => app.credentials.renew({ API_KEYS: [], ADMIN_API_KEY: [], INFERENCE_API_KEY: 'i3' }), /cannot be set or unset/)
  t.throws(() => app.credentials.renew({ API_KEYS: ['k3'], ADMIN_API_KEY: ['a'], INFERENCE_API_KEY: 'i3' }), /cannot be set or unset/)
  t.equal(app.credentials.inferenceKey, 'i2')
  t.ok(app.credentials.apiKeys.has('k2'))
})

t.test('DATABASE_URL_FILE: new connections log in by the new user; another database waits for the next start', { skip: await postgresMissing() }, async t => {
  const roles = ['old', 'new'].map(name => `gateway_${name}_${process.pid}`) as [string, string]
  for (const role of roles) await onServer(`create role ${role} login superuser`)
  // After the database, whose tables belong to the first one.
  t.teardown(async () => { for (const role of roles) await onServer(`drop role ${role}`) })
  const url = new URL(await freshPostgres(t))
  const urlOf = (role: string) => Object.assign(new URL(url), { username: role }).href
  const file = join(t.testdir({ url: urlOf(roles[0]) }), 'url')
  const gateway = await spawnGateway(t, { CATALOG_SOURCE: 'database', DATABASE_URL_FILE: file, CATALOG_SNAPSHOT_FILE: `${file}.snapshot`, ADMIN_API_KEY: 'admin-key-of-the-test' })
  t.teardown(async () => { gateway.child.kill('SIGKILL'); await gateway.ended })
  const edit = async () => (await ask(gateway.port, { path: '/admin/models/sdxl', method: 'PATCH', headers: { 'x-api-key': 'admin-key-of-the-test', 'content-type': 'application/json' }, body: '{"isActive":true}' })).status
  t.equal(await edit(), 200)

  writeFileSync(file, urlOf(roles[1]))
  await hangUp(gateway, /read again: database/)
  await onServer(`alter role ${roles[0]} nologin`)
  await cutConnections(url.href)
  t.equal(await edit(), 200, 'by the new user')

  writeFileSync(file, Object.assign(new URL(urlOf(roles[1])), { pathname: '/another' }).href)
  await hangUp(gateway, /DATABASE_URL names another database.*could not be read again.*database/)
  t.equal(await edit(), 200)
})
