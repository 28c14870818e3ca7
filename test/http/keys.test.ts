// Which key it was, by name, and that looking it up takes the same steps for each:
// the time of an answer must not help to guess a key.
import { Session } from 'node:inspector/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const session = new Session()
session.connect()
await session.post('Profiler.enable')
// Before the module is loaded: V8 counts blocks only in functions that are compiled after this.
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
t.teardown(() => session.disconnect())
const { KeySet, namedKey, presentedKey } = await import('../../src/http/keys.ts')

t.test('an entry is a key, or a name and a key', async t => {
  t.same(namedKey('alice:k1'), { name: 'alice', key: 'k1' })
  t.same(namedKey('alice:k:1'), { name: 'alice', key: 'k:1' }, 'only the first colon ends a name')
  // printf %s k1 | sha256sum
  t.same(namedKey('k1'), { name: 'key-6ab9f1eb', key: 'k1' })
  t.same(namedKey(':k1', 'admin'), { name: 'admin-6ab9f1eb', key: 'k1' })
  t.equal(namedKey(':a:b').key, 'a:b')
})

t.test('a set tells the name of each of its keys, and of no other', async t => {
  const keys = new KeySet(['alice:k1', 'bob:k2', 'alice:k3', 'plain'])
  t.equal(keys.size, 4)
  t.same(['k1', 'k2', 'k3', 'plain'].map(key => keys.find(key)), ['alice', 'bob', 'alice', namedKey('plain').name])
  for (const other of ['', 'k', 'k11', 'alice:k1', 'alice', 'K1', undefined]) t.equal(keys.find(other), undefined, String(other))
  t.equal(new KeySet([]).find('k1'), undefined)
})

t.test('the headers that carry a key', async t => {
  t.equal(presentedKey({ authorization: 'Bearer k1' }), 'k1')
  t.equal(presentedKey({ authorization: 'bearer   k1' }), 'k1')
  t.equal(presentedKey({ 'x-api-key': 'k1' }), 'k1')
  t.equal(presentedKey({ 'api-key': 'k1' }), 'k1')
  t.equal(presentedKey({ authorization: 'Bearer k1', 'x-api-key': 'k2', 'api-key': 'k3' }), 'k1')
  t.equal(presentedKey({ 'x-api-key': 'k2', 'api-key': 'k3' }), 'k2')
  for (const none of [{}, { authorization: 'Basic k1' }, { authorization: 'Bearer' }, { 'x-api-key': '' }]) t.equal(presentedKey(none), undefined)
})

/** How often each block of keys.ts ran during `work`, as V8 counts. */
async function blocksRun (work: () => void): Promise<unknown> {
  await session.post('Profiler.takePreciseCoverage')
  work()
  const { result } = await session.post('Profiler.takePreciseCoverage')
  const file = fileURLToPath(new URL('../../src/http/keys.ts', import.meta.url))
  return result.find(({ url }) => url.startsWith('file:') && fileURLToPath(url) === file)?.functions
}

// A timed test would be honest, but not reliable; a spy would see what is called, and not what decides. V8's own counts see every branch and every round of a loop.
t.test('the same code runs as often, whichever key it is', async t => {
  const keys = new KeySet(Array.from({ length: 50 }, (_, i) => `name-${i}:key-${i}`))
  const steps = []
  for (const key of ['key-0', 'key-1', 'key-25', 'key-49']) steps.push(await blocksRun(() => { keys.find(key) }))
  t.match(JSON.stringify(steps[0]), '"count":50', 'every key is compared')
  for (const other of steps.slice(1)) t.same(other, steps[0])
})
