// The process: what stops its start, and how it ends.
import t from 'tap'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { startFakeInference } from './fake-inference.ts'
import { eventually, post, rawClient, startRawUpstream } from './helper.ts'
import { spawnGateway, spawnScript } from './spawn.ts'

const SERVER = 'src/server.ts'

t.test('a bad configuration: every problem at once, no secret, exit code 78', async t => {
  const { ended, output } = spawnScript(t, SERVER, { PORT: 'x', LOG_LEVEL: 'loud', INFERENCE_API_KEY: 'hunter2 hunter2' })
  t.equal(await ended, 78)
  t.match(output(), /PORT must/)
  t.match(output(), /LOG_LEVEL must/)
  t.match(output(), /INFERENCE_API_KEY must/)
  t.notMatch(output(), /hunter2|at .*\.ts/)
})

t.test('a bad catalog file: the place and the reason, exit code 78', async t => {
  const file = join(t.testdir({ 'catalog.json': '{"chat":[{"id":"a","description":"d"}]}' }), 'catalog.json')
  const { ended, output } = spawnScript(t, SERVER, { CATALOG_FILE: file })
  t.equal(await ended, 78)
  t.match(output(), /\/chat\/0\/name/)
  t.notMatch(output(), /at .*\.ts:/)
})

t.test('a folder for request bodies that cannot be used: the reason, exit code 78', async t => {
  const folder = t.testdir({ file: '' })
  for (const [name, reason] of [['missing', 'the folder does not exist'], ['file', 'it is not a folder']] as const) {
    const { ended, output } = spawnScript(t, SERVER, { SPOOL_DIR: join(folder, name) })
    t.equal(await ended, 78, name)
    t.ok(output().includes(`SPOOL_DIR ${join(folder, name)}: ${reason}`), output())
  }
})

t.test('a port in use: one clear line, exit code 1', async t => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as AddressInfo
  const { ended, output } = spawnScript(t, SERVER, { PORT: String(port), LOG_LEVEL: 'silent' })
  t.equal(await ended, 1)
  t.equal(output().trim(), `Cannot listen on 127.0.0.1:${port}: the port is in use (set PORT to another)`)
})

t.test('SIGTERM with a live stream: it is delivered whole, new requests are turned away, exit code 0', async t => {
  const upstream = await startFakeInference({ tokens: 20, tokensPerSecond: 25 })
  t.teardown(() => upstream.close())
  const { child, ended, port } = await spawnGateway(t, { INFERENCE_SERVICE_URL: upstream.url, SHUTDOWN_GRACE: '20' })
  const stream = await rawClient(port, post('/v1/chat/completions', '{"stream":true}'))
  const idle = await rawClient(port, post('/v1/chat/completions', '{}', { 'x-stand-in-tokens': '1' }))
  await idle.until(/\r\n\r\n.+\}$/s)
  await stream.until(/data: /)
  child.kill('SIGTERM')
  await new Promise(resolve => setTimeout(resolve, 100))

  const hits = upstream.requests.length
  const ready = await fetch(`http://127.0.0.1:${port}/readyz`)
  t.equal(ready.status, 503)
  t.match(await ready.json(), { error: { code: 'draining' } })
  t.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200)
  idle.socket.write(post('/v1/chat/completions', '{}'))
  await idle.closed
  t.match(idle.text(), /HTTP\/1\.1 503 [^]*connection: close[^]*"code":"draining"/i)
  t.equal(upstream.requests.length, hits, 'the one turned away did not go upstream')

  await stream.until(/data: \[DONE\]\n\n\r\n0\r\n\r\n$/, 10_000)
  t.equal(await ended, 0)
})

t.test('SIGTERM: a request that comes on an open connection just after the port has closed gets its answer', async t => {
  const sent = join(t.testdir(), 'sent')
  const { child, ended, port } = await spawnGateway(t, { SHUTDOWN_GRACE: '20', NODE_OPTIONS: `--import=${heldWhenClosed(sent)}` })
  const fresh = await rawClient(port)
  child.kill('SIGTERM')
  while (await canConnect(port)) await new Promise(resolve => setTimeout(resolve, 5))
  fresh.socket.write(post('/v1/chat/completions', '{}'))
  writeFileSync(sent, '')
  t.equal(await fresh.closed, false, 'no reset')
  t.match(fresh.text(), /HTTP\/1\.1 503 [^]*connection: close[^]*"code":"draining"/i)
  t.equal(await ended, 0)
})

t.test('SIGTERM: the port stays open while requests come that are to be refused', async t => {
  const { child, ended, port } = await spawnGateway(t, { SHUTDOWN_GRACE: '20' })
  child.kill('SIGTERM')
  const began = performance.now()
  let sentAt = began
  let refused = 0
  // Balancers look every second whether a gateway is ready.
  while (performance.now() - began < 1200 && await canConnect(port)) {
    const asked = performance.now()
    const { status } = await fetch(`http://127.0.0.1:${port}/v1/none`).catch(() => ({ status: 0 }))
    if (status !== 503) continue
    sentAt = asked
    refused++
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  t.ok(refused > 0)
  // Where this process was held up, the gateway may have been quiet for long enough.
  if (performance.now() - sentAt < 450) t.ok(await canConnect(port), 'open as long as requests come')
  t.equal(await ended, 0)
})

t.test('SIGTERM with an endless stream, an idle socket and half a body: cut at the end of the grace', async t => {
  const upstream = await startFakeInference({ tokens: 1_000_000, tokensPerSecond: 50 })
  t.teardown(() => upstream.close())
  const { child, ended, port, output } = await spawnGateway(t, { INFERENCE_SERVICE_URL: upstream.url, SHUTDOWN_GRACE: '0.5' })
  const stream = await rawClient(port, post('/v1/chat/completions', '{"stream":true}'))
  const idle = await rawClient(port)
  const half = await rawClient(port, post('/v1/chat/completions', '{"a":1}').subarray(0, -3))
  await stream.until(/data: /)
  child.kill('SIGTERM')
  t.equal(await ended, 0)
  await Promise.all([stream.closed, idle.closed, half.closed])
  t.match(stream.text(), /data: \{"error":\{[^\n]*"code":"draining"\}\}\n\n\r\n$/, 'an error event, and no end of the body')
  await upstream.waitFor(request => request.aborted)
  const lines = output().split('\n').filter(line => /"outcome":/.test(line)).map(line => JSON.parse(line).outcome as string)
  t.same(lines.sort(), ['broken', 'refused'], 'what was cut has its log lines')
})

t.test('the log: one line for each request, also for one that is turned away; nothing of what the upstream sent', async t => {
  const upstream = await startRawUpstream(t, socket => { socket.end('SECRETUP garbage\r\n\r\n') })
  const broken = await startFakeInference({ tokens: 10, breakAfter: 3 })
  t.teardown(() => broken.close())
  const garbled = await spawnGateway(t, { INFERENCE_SERVICE_URL: upstream.url, API_KEYS: 'k' })
  const at = `http://127.0.0.1:${garbled.port}`
  const statuses: number[] = []
  const chat = async (headers: Record<string, string>) => { statuses.push((await fetch(`${at}/v1/chat/completions`, { method: 'POST', body: '{}', headers })).status) }
  await chat({})
  await chat({ 'x-api-key': 'k' })
  await fetch(`${at}/%`)
  const lines = () => garbled.output().split('\n').filter(line => /"status":/.test(line)).map(line => JSON.parse(line) as { status: number })
  await eventually(() => lines().length >= 3, 5000, garbled.output)
  t.same(statuses, [401, 502])
  t.same(lines().map(({ status }) => status), [401, 502, 400])
  t.notMatch(garbled.output(), /SECRETUP/)

  const streaming = await spawnGateway(t, { INFERENCE_SERVICE_URL: broken.url })
  const client = await rawClient(streaming.port, post('/v1/chat/completions', '{"stream":true}'))
  await client.closed
  await eventually(() => /"outcome":"broken"[^\n]*"bytesOut":[1-9]\d*/.test(streaming.output()), 5000, streaming.output)
})

/** A module that stops a process when its HTTP server has closed its port, until the file is there: so the test need not be in time. */
function heldWhenClosed (file: string): string {
  return 'data:text/javascript,' + encodeURIComponent(`
    import { existsSync } from 'node:fs'
    import { Server } from 'node:http'
    const { close } = Server.prototype
    Server.prototype.close = function (...args) {
      close.apply(this, args)
      const cell = new Int32Array(new SharedArrayBuffer(4))
      while (!existsSync(${JSON.stringify(file)})) Atomics.wait(cell, 0, 0, 5)
      return this
    }`)
}

async function canConnect (port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  const [event] = await Promise.race([once(socket, 'connect').then(() => [true]), once(socket, 'close').then(() => [false])]).catch(() => [false])
  socket.destroy()
  return event!
}
