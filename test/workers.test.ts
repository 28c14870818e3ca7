// WORKERS: several processes on one port. One that stops loses no connection,
// one that dies is replaced, and a shutdown drains them all.
import t from 'tap'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { startFakeInference } from './fake-inference.ts'
import { eventually, post, rawClient } from './helper.ts'
import { spawnGateway } from './spawn.ts'
import { share, workerCount } from '../src/workers.ts'

const WORKERS = { WORKERS: '2' }
/** Between two requests of a client, milliseconds: without one the load takes the cores that a successor starts on. */
const PAUSE = 5

function isAlive (pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(execFileSync('cat', [`/proc/${pid}/status`], { stdio: ['ignore', 'pipe', 'ignore'] }).toString())
  } catch {
    return false
  }
}

t.test('shares add up', async t => {
  for (const [total, workers] of [[1024, 3], [5, 2], [7, 7]] as const) {
    t.equal(Array.from({ length: workers }, (_, index) => share(total, workers, index)).reduce((sum, part) => sum + part, 0), total)
  }
  t.ok(workerCount('auto') >= 1)
  t.equal(workerCount(3), 3)
})

t.test('a worker that is stopped loses no connection; it is replaced', async t => {
  const upstream = await startFakeInference({ tokens: 3 })
  t.teardown(() => upstream.close())
  const gateway = await spawnGateway(t, { ...WORKERS, INFERENCE_SERVICE_URL: upstream.url, SHUTDOWN_GRACE: '20', LOG_LEVEL: 'info' })
  const agents = Array.from({ length: 8 }, () => new Agent({ keepAlive: true, maxSockets: 1 }))
  t.teardown(() => { for (const agent of agents) agent.destroy() })
  const failures: unknown[] = []
  let answered = 0
  const load = { running: true }
  const ask = (agent: Agent) => new Promise<void>((resolve, reject) => {
    request({ agent, port: gateway.port, host: '127.0.0.1', method: 'POST', path: '/v1/chat/completions' }, response => {
      if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`))
      response.resume().once('end', resolve).once('error', reject)
    }).once('error', reject).end('{}')
  })
  const loops = agents.map(async agent => {
    while (load.running) {
      await ask(agent).then(() => { answered++ }, error => { failures.push(error) })
      await setTimeout(PAUSE)
    }
  })
  const [first] = gateway.pids()
  await eventually(() => answered > 50, 10_000)
  process.kill(first!, 'SIGTERM')
  await eventually(() => !isAlive(first!), 15_000)
  await eventually(() => gateway.pids().length === 3, 15_000)
  const before = answered
  await eventually(() => answered > before + 50, 10_000)
  load.running = false
  await Promise.all(loops)
  t.same(failures, [], `${answered} requests, none lost`)
  gateway.child.kill('SIGTERM')
  t.equal(await gateway.ended, 0)
})

t.test('a worker that dies is replaced; the streams of its siblings go on', async t => {
  const upstream = await startFakeInference({ tokens: 100_000, tokensPerSecond: 100 })
  t.teardown(() => upstream.close())
  const gateway = await spawnGateway(t, { ...WORKERS, INFERENCE_SERVICE_URL: upstream.url, SHUTDOWN_GRACE: '0' })
  const streams = await Promise.all(Array.from({ length: 4 }, () => rawClient(gateway.port, post('/v1/chat/completions', '{"stream":true}'))))
  await Promise.all(streams.map(stream => stream.until(/data: /, 10_000)))
  const [victim] = gateway.pids()
  process.kill(victim!, 'SIGKILL')
  await eventually(() => gateway.pids().length === 3, 15_000)
  const alive = streams.filter(stream => !stream.socket.destroyed && stream.socket.readable)
  t.ok(alive.length >= 1, 'connections are handed out in turn')
  for (const stream of alive) {
    const length = stream.text().length
    await eventually(() => stream.text().length > length)
  }
  gateway.child.kill('SIGTERM')
  t.equal(await gateway.ended, 0)
  for (const pid of gateway.pids()) t.notOk(isAlive(pid))
})

t.test('a worker whose successor cannot start, for now: its siblings go on, and it is replaced once it can; one that hangs keeps nobody from ending', async t => {
  const upstream = await startFakeInference({ tokens: 100_000, tokensPerSecond: 100 })
  t.teardown(() => upstream.close())
  const CATALOG_FILE = join(t.testdir(), 'catalog.json')
  writeFileSync(CATALOG_FILE, '{}')
  const gateway = await spawnGateway(t, { ...WORKERS, INFERENCE_SERVICE_URL: upstream.url, SHUTDOWN_GRACE: '0', CATALOG_FILE })
  const streams = await Promise.all(Array.from({ length: 4 }, () => rawClient(gateway.port, post('/v1/chat/completions', '{"stream":true}'))))
  await Promise.all(streams.map(stream => stream.until(/data: /, 10_000)))
  writeFileSync(CATALOG_FILE, '{"chat":[')
  process.kill(gateway.pids()[0]!, 'SIGKILL')
  await eventually(() => gateway.err().includes('CATALOG_FILE'), 15_000, gateway.output)
  t.ok(streams.some(stream => !stream.socket.destroyed && stream.socket.readable))
  writeFileSync(CATALOG_FILE, '{}')
  await eventually(() => gateway.pids().length === 3, 15_000, gateway.output)
  t.ok(streams.some(stream => !stream.socket.destroyed && stream.socket.readable))

  const hung = gateway.pids().at(-1)!
  t.teardown(() => { if (isAlive(hung)) process.kill(hung, 'SIGKILL') })
  process.kill(hung, 'SIGSTOP')
  gateway.child.kill('SIGTERM')
  await eventually(() => gateway.child.exitCode !== null, 10_000)
  t.equal(gateway.child.exitCode, 0)
  t.notOk(isAlive(hung))
})

t.test('a SIGTERM while a worker starts is not lost', async t => {
  const gateway = await spawnGateway(t, WORKERS)
  process.kill(gateway.pids()[0]!, 'SIGKILL')
  await setTimeout(700)
  gateway.child.kill('SIGTERM')
  t.equal(await gateway.ended, 0)
})
