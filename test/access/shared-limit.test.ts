// RATE_LIMIT with REDIS_URL: three gateways count as one, by a real Redis. A Redis
// that is down or hangs stops nobody: requests pass, none waits for it, and the log
// and a counter say so, once for each change.
import { randomUUID } from 'node:crypto'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { freePort } from '../free-port.ts'
import { eventually, startGateway } from '../helper.ts'
import { spawnGateway } from '../spawn.ts'
import { ask, tally } from './helper.ts'

const SHARED = process.env.TEST_REDIS_URL ?? 'redis://127.0.0.1:6379'

async function reachable (url: string): Promise<boolean> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null })
  redis.on('error', () => {})
  try {
    await redis.connect()
    return true
  } catch {
    return false
  } finally {
    redis.disconnect()
  }
}

const hasRedis = await reachable(SHARED)

/** A Redis of the test's own; ends with it. */
async function startRedis (t: Test, port: number): Promise<ChildProcess> {
  const child = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'close')
    child.kill('SIGKILL')
    await ended
  })
  let said = ''
  child.stdout.on('data', chunk => { said += chunk })
  await eventually(() => said.includes('Ready to accept connections'), 10_000, () => said)
  return child
}

const hasServer = await (async () => {
  const child = spawn('redis-server', ['--version'], { stdio: 'ignore' })
  return await new Promise<boolean>(resolve => child.once('error', () => resolve(false)).once('close', code => resolve(code === 0)))
})()

t.test('three gateways, one limit', { skip: !hasRedis && !process.env.CI && `no Redis at ${SHARED}` }, async t => {
  // A name of this run's own, under which Redis counts.
  const name = `test-${randomUUID()}`
  const key = `${name}:a-key-of-sixteen-letters`
  t.teardown(async () => {
    const redis = new Redis(SHARED)
    await redis.del(`model-gateway:rate-limit:key:${name}`)
    redis.disconnect()
  })
  const gateways = await Promise.all([1, 2, 3].map(async () => await startGateway(t, { API_KEYS: key, RATE_LIMIT: '30', REDIS_URL: SHARED })))
  const question = { headers: { 'x-api-key': 'a-key-of-sixteen-letters' } }
  const answers = await Promise.all(Array.from({ length: 60 }, async (_, i) => await ask(gateways[i % 3]!.port, question)))
  const passed = answers.filter(({ status }) => status === 200)
  const counted = passed.filter(({ headers }) => 'ratelimit' in headers).map(({ headers }) => Number(headers['ratelimit-remaining']))
  // On a machine so busy that Redis is late, requests pass uncounted, as promised; on any other it is 30 and 0.
  const uncounted = gateways.reduce((sum, { app }) => sum + app.sharedLimit!.uncounted, 0)
  t.equal(passed.length - counted.length, uncounted)
  t.ok(counted.length <= 30 && passed.length >= 30, `${counted.length} counted, ${uncounted} not`)
  t.equal(new Set(counted).size, counted.length, 'each remaining count was given once')
  t.equal(answers.length - passed.length, answers.filter(({ status }) => status === 429).length)
})

t.test('a Redis that goes and comes back', { skip: !hasServer && !process.env.CI && 'no redis-server on this machine' }, async t => {
  const redisPort = await freePort()
  const redis = await startRedis(t, redisPort)
  const gateway = await spawnGateway(t, { RATE_LIMIT: '3', REDIS_URL: `redis://127.0.0.1:${redisPort}` })
  /** Three requests pass, or more on a machine so busy that Redis is late; then one is refused. */
  const holds = async () => {
    let passed = 0
    while ((await ask(gateway.port)).status === 200) passed++
    return passed >= 3
  }
  t.ok(await holds())

  const gone = once(redis, 'close')
  redis.kill('SIGKILL')
  await gone
  const passed = await Promise.all(Array.from({ length: 20 }, async () => await ask(gateway.port)))
  t.same(tally(passed.map(({ status }) => status)), { 200: 20 })
  t.ok(passed.every(({ headers }) => !('ratelimit' in headers)), 'nothing is made up')

  await startRedis(t, redisPort)
  await eventually(() => gateway.output().includes('Redis answers again'), 5000, gateway.output)
  t.ok(await holds(), 'it counts anew, with an empty memory')
  const lines = gateway.out().trim().split('\n').map(line => JSON.parse(line)).filter(({ msg }) => msg.includes('Redis'))
  t.ok(lines.length < 20, 'once for each change, not for each request')
  t.match(lines.map(({ level, msg }) => [level, msg]).slice(0, 2), [[40, /does not answer/], [30, /answers again/]])
})

t.test('a Redis that hangs is soon asked by one request in a while only, and delays none for long', { skip: !hasServer && !process.env.CI && 'no redis-server on this machine' }, async t => {
  const redisPort = await freePort()
  const redis = await startRedis(t, redisPort)
  const { app, port } = await startGateway(t, { RATE_LIMIT: '3', REDIS_URL: `redis://127.0.0.1:${redisPort}` })
  while ((await ask(port)).status === 200);
  const before = app.sharedLimit!.uncounted
  redis.kill('SIGSTOP')
  t.teardown(() => redis.kill('SIGCONT'))
  const began = performance.now()
  for (const available of [true, true, false]) {
    t.equal((await ask(port)).status, 200)
    t.equal(app.sharedLimit!.available, available, 'the third failure in a row is an outage')
  }
  t.same(tally((await Promise.all(Array.from({ length: 10 }, async () => await ask(port)))).map(({ status }) => status)), { 200: 10 })
  t.match(app.sharedLimit, { available: false, uncounted: before + 13 })
  // The limit is 40 ms; a busy machine adds to it. Without it, the connection's own end would come after 2 s.
  const took = performance.now() - began
  t.ok(took < 1500, `${took} ms`)
  redis.kill('SIGCONT')
  const again = async () => (await ask(port)).status === 429
  for (let tries = 0; !await again(); tries++) {
    if (tries === 50) throw new Error('the limit never holds again')
    await sleep(50)
  }
  t.equal(app.sharedLimit!.available, true)
})

t.test('one late answer lets its own request pass, and no other', { skip: !hasServer && !process.env.CI && 'no redis-server on this machine' }, async t => {
  const redisPort = await freePort()
  const redis = await startRedis(t, redisPort)
  const { app, port } = await startGateway(t, { RATE_LIMIT: '3', REDIS_URL: `redis://127.0.0.1:${redisPort}` })
  while ((await ask(port)).status === 200);
  const before = app.sharedLimit!.uncounted
  redis.kill('SIGSTOP')
  t.teardown(() => redis.kill('SIGCONT'))
  t.equal((await ask(port)).status, 200)
  redis.kill('SIGCONT')
  t.match(app.sharedLimit, { available: true, uncounted: before + 1 })
  // On a machine so busy that Redis is late again, more pass, each by itself.
  let passed = 0
  while ((await ask(port)).status === 200) passed++
  t.equal(app.sharedLimit!.uncounted, before + 1 + passed)
  t.ok(passed < 3, `${passed} passed`)
})

t.test('a Redis that was never there: the gateway starts, and passes', async t => {
  const { app, port } = await startGateway(t, { RATE_LIMIT: '1', REDIS_URL: `redis://127.0.0.1:${await freePort()}` })
  for (let i = 0; i < 3; i++) t.equal((await ask(port)).status, 200)
  t.match(app.sharedLimit, { available: false, uncounted: 3 })
})
