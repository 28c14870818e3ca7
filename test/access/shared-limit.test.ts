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

t.test('three gateways, one limit', { skip: !hasRedis && `no Redis at ${SHARED}` }, async t => {
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
  t.same(tally(answers.map(({ status }) => status)), { 200: 30, 429: 30 })
  t.same(answers.filter(({ status }) => status === 200).map(({ headers }) => Number(headers['ratelimit-remaining'])).sort((a, b) => a - b), Array.from({ length: 30 }, (_, i) => i), 'each remaining count was given once')
  for (const { app } of gateways) t.match(app.sharedLimit, { available: true, uncounted: 0 })
})

t.test('a Redis that goes and comes back', { skip: !hasServer && 'no redis-server on this machine' }, async t => {
  const redisPort = await freePort()
  const redis = await startRedis(t, redisPort)
  const gateway = await spawnGateway(t, { RATE_LIMIT: '3', REDIS_URL: `redis://127.0.0.1:${redisPort}` })
  const statuses = async (count: number) => {
    const all = []
    for (let i = 0; i < count; i++) all.push((await ask(gateway.port)).status)
    return all
  }
  t.same(await statuses(5), [200, 200, 200, 429, 429])

  const gone = once(redis, 'close')
  redis.kill('SIGKILL')
  await gone
  const passed = await Promise.all(Array.from({ length: 20 }, async () => await ask(gateway.port)))
  t.same(tally(passed.map(({ status }) => status)), { 200: 20 })
  t.ok(passed.every(({ headers }) => !('ratelimit' in headers)), 'nothing is made up')

  await startRedis(t, redisPort)
  await eventually(() => gateway.output().includes('Redis answers again'), 5000, gateway.output)
  t.same(await statuses(4), [200, 200, 200, 429], 'it counts anew, with an empty memory')
  const lines = gateway.out().trim().split('\n').map(line => JSON.parse(line)).filter(({ msg }) => msg.includes('Redis'))
  t.match(lines.map(({ level, msg }) => [level, msg]), [[40, /does not answer/], [30, /answers again/]], 'once for each change')
})

t.test('a Redis that hangs delays no more than one request in a while, and not for long', { skip: !hasServer && 'no redis-server on this machine' }, async t => {
  const redisPort = await freePort()
  const redis = await startRedis(t, redisPort)
  const { app, port } = await startGateway(t, { RATE_LIMIT: '3', REDIS_URL: `redis://127.0.0.1:${redisPort}` })
  for (let i = 0; i < 4; i++) await ask(port)
  redis.kill('SIGSTOP')
  t.teardown(() => redis.kill('SIGCONT'))
  for (let i = 0; i < 10; i++) t.equal((await ask(port)).status, 200)
  t.match(app.sharedLimit, { available: false, uncounted: 10 })
  redis.kill('SIGCONT')
  await sleep(300)
  t.equal((await ask(port)).status, 429, 'the count has stayed where it was')
  t.match(app.sharedLimit, { available: true, uncounted: 10 })
})

t.test('a Redis that was never there: the gateway starts, and passes', async t => {
  const { app, port } = await startGateway(t, { RATE_LIMIT: '1', REDIS_URL: `redis://127.0.0.1:${await freePort()}` })
  for (let i = 0; i < 3; i++) t.equal((await ask(port)).status, 200)
  t.match(app.sharedLimit, { available: false, uncounted: 3 })
})
