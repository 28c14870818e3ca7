// A body on disk, and what may happen to its request: it is sent whole, and never
// another one, or the client gets an error. Its file is gone afterwards.
import t from 'tap'
import { connect, createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startFakeInference } from '../fake-inference.ts'
import { freePort } from '../free-port.ts'
import { backAtRest, descriptors, eventually, isError, lastPost, parseAnswer, rawClient, send, startGateway, startRig, type Test } from './helper.ts'

/** A body that is larger than what is kept in memory. */
const body = (filler: string) => `{"text":"${filler.repeat(400_000)}","model":"gemini-1.5-flash"}`
const request = (filler = 'a') => lastPost('/v1/chat/completions', body(filler))

async function startQuietGateway (t: Test, url: string, settings: Record<string, string> = {}) {
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: url, ...settings })
  return { gateway, descriptors: descriptors() }
}

t.test('a service that cannot be reached', async t => {
  const rig = await startQuietGateway(t, `http://127.0.0.1:${await freePort()}`)
  isError(t, await send(rig.gateway.port, request()), 502, 'upstream_unreachable')
  isError(t, await send(rig.gateway.port, request()), 502, 'upstream_unreachable')
  await backAtRest(rig)
})

t.test('a service that comes up 100 ms later gets each body whole, whatever else is spooled meanwhile', async t => {
  const port = await freePort()
  const { gateway } = await startQuietGateway(t, `http://127.0.0.1:${port}`)
  const early = send(gateway.port, request('e'))
  // The first attempt: over in less than what `eventually` waits between two looks.
  while (gateway.app.forwarder.connections.open === 0) await new Promise(setImmediate)
  while (gateway.app.forwarder.connections.open === 1) await new Promise(setImmediate)
  const starting = startFakeInference({ port })
  const others = Array.from({ length: 5 }, (_, i) => send(gateway.port, request(String(i))))
  const service = await starting
  t.teardown(() => service.close())
  for (const answer of await Promise.all([early, ...others])) t.equal(answer.status, 200)
  const fillers = service.requests.map(({ body }) => body.toString()[9]!)
  t.strictSame(fillers.toSorted(), ['0', '1', '2', '3', '4', 'e'])
  for (const [i, request] of service.requests.entries()) t.ok(request.body.equals(Buffer.from(body(fillers[i]!))))
})

t.test('while it connects', async t => {
  // Accepts connections and never shakes hands.
  const silent = createServer(socket => { socket.on('error', () => {}).resume() }).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => silent.close())
  const rig = await startQuietGateway(t, `https://127.0.0.1:${(silent.address() as AddressInfo).port}`, { UPSTREAM_CONNECT_TIMEOUT: '0.2' })
  const client = connect(rig.gateway.port, '127.0.0.1', () => client.write(request()))
  await eventually(() => rig.gateway.app.forwarder.connections.open === 1)
  client.destroy()
  await backAtRest(rig)
  isError(t, await send(rig.gateway.port, request()), 502, 'upstream_unreachable')
  await backAtRest(rig)
})

t.test('a client that leaves while its body is sent', async t => {
  const rig = await startRig(t, socket => { socket.pause() })
  const client = await rawClient(rig.gateway.port, lastPost('/v1/chat/completions', `{"text":"${'x'.repeat(20_000_000)}","model":"gemini-1.5-flash"}`))
  await eventually(() => rig.upstream.hits() === 1, 10_000)
  client.socket.destroy()
  rig.upstream.sockets[0]!.resume()
  await backAtRest(rig)
})

t.test('more bodies than may be under way: 503 before the body is read', async t => {
  const rig = await startRig(t, () => {}, { MAX_CONCURRENT_REQUESTS: '2', MAX_QUEUED_REQUESTS: '3' })
  const start = request().subarray(0, 300_000)
  const clients = await Promise.all(Array.from({ length: 5 }, () => rawClient(rig.gateway.port, start)))
  await eventually(() => rig.gateway.app.forwarder.underWay === 5)
  t.equal(rig.gateway.app.forwarder.inFlight, 0, 'a body that arrives holds no slot')
  const sixth = await rawClient(rig.gateway.port, start)
  await sixth.until(/\}\}$/)
  isError(t, parseAnswer(sixth.text()), 503, 'overloaded')
  t.match(parseAnswer(sixth.text()).headers, { 'retry-after': '1' })
  t.ok(rig.gateway.app.forwarder.space.files <= 5)
  for (const client of [...clients, sixth]) client.socket.destroy()
  await backAtRest(rig)
  await eventually(() => rig.gateway.app.forwarder.space.files === 0)
})

t.test('past SPOOL_LIMIT: 503 that says so, and then it works again', async t => {
  const rig = await startRig(t, socket => { setTimeout(() => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'), 100) }, { SPOOL_LIMIT: '600000' })
  const first = await rawClient(rig.gateway.port, request().subarray(0, 390_000))
  await eventually(() => rig.gateway.app.forwarder.space.bytes > 250_000)
  const refused = await send(rig.gateway.port, request('b'))
  isError(t, refused, 503, 'storage_full')
  t.match(refused.body, /limit/)
  first.socket.destroy()
  await eventually(() => rig.gateway.app.forwarder.space.bytes === 0)
  t.equal((await send(rig.gateway.port, request('c'))).status, 200)
  await backAtRest(rig)
})

t.test('a disk that is full: 503 that names the disk', { skip: process.getuid?.() !== 0 && process.env.CI === undefined && 'mounting a small disk needs root' }, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'small-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=600k', 'tmpfs', folder])
  t.teardown(() => {
    execFileSync('umount', [folder])
    rmdirSync(folder)
  })
  const rig = await startRig(t, () => {}, { SPOOL_DIR: folder })
  const large = lastPost('/v1/chat/completions', `{"model":"m","text":"${'x'.repeat(2_000_000)}"}`)
  const refused = await send(rig.gateway.port, large)
  isError(t, refused, 503, 'storage_full')
  t.match(refused.body, /the disk is full/)
  t.equal(rig.upstream.hits(), 0)
  await backAtRest(rig)
  t.equal(rig.gateway.app.forwarder.space.files, 0)
  t.same(readdirSync(folder), [], 'no file is left')
})
