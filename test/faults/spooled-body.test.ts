// A body that waits on disk for its model to be known, and what may befall its
// request then: it is sent whole and nobody else's is, or the client gets an error.
import t from 'tap'
import { connect, createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { startFakeInference } from '../fake-inference.ts'
import { freePort } from '../free-port.ts'
import { backAtRest, descriptors, eventually, isError, lastPost, rawClient, send, startGateway, startRig, type Test } from './helper.ts'

/** A body whose model stands behind 200 KB. */
const body = (filler: string) => `{"text":"${filler.repeat(200_000)}","model":"gemini-1.5-flash"}`
const request = (filler = 'a') => lastPost('/v1/chat/completions', body(filler))

const POLICY = { MODEL_POLICY: 'catalog' }

async function startPolicedGateway (t: Test, url: string, settings: Record<string, string> = {}) {
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: url, ...POLICY, ...settings })
  return { gateway, descriptors: descriptors() }
}

t.test('a service that cannot be reached', async t => {
  const rig = await startPolicedGateway(t, `http://127.0.0.1:${await freePort()}`)
  isError(t, await send(rig.gateway.port, request()), 502, 'upstream_unreachable')
  isError(t, await send(rig.gateway.port, request()), 502, 'upstream_unreachable')
  await backAtRest(rig)
})

t.test('a service that comes up 100 ms later gets each body whole, whatever else is spooled meanwhile', async t => {
  const port = await freePort()
  const { gateway } = await startPolicedGateway(t, `http://127.0.0.1:${port}`)
  const early = send(gateway.port, request('e'))
  // The first attempt: over in less than what `eventually` waits between two looks.
  while (gateway.app.forwarder.connections === 0) await new Promise(setImmediate)
  while (gateway.app.forwarder.connections === 1) await new Promise(setImmediate)
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
  const rig = await startPolicedGateway(t, `https://127.0.0.1:${(silent.address() as AddressInfo).port}`, { UPSTREAM_CONNECT_TIMEOUT: '0.2' })
  const client = connect(rig.gateway.port, '127.0.0.1', () => client.write(request()))
  await eventually(() => rig.gateway.app.forwarder.connections === 1)
  client.destroy()
  await backAtRest(rig)
  isError(t, await send(rig.gateway.port, request()), 502, 'upstream_unreachable')
  await backAtRest(rig)
})

t.test('an answer that comes before the body has been sent', async t => {
  const rig = await startRig(t, socket => {
    socket.pause()
    socket.write('HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno')
  }, POLICY)
  const client = await rawClient(rig.gateway.port, lastPost('/v1/chat/completions', `{"text":"${'x'.repeat(20_000_000)}","model":"gemini-1.5-flash"}`))
  await client.closed
  t.match(client.text(), /^HTTP\/1\.1 413 [^]*\r\n\r\nno$/)
  rig.upstream.sockets[0]!.resume()
  await backAtRest(rig)
})

t.test('a client that leaves while its body is sent', async t => {
  const rig = await startRig(t, socket => { socket.pause() }, POLICY)
  const client = await rawClient(rig.gateway.port, lastPost('/v1/chat/completions', `{"text":"${'x'.repeat(20_000_000)}","model":"gemini-1.5-flash"}`))
  await eventually(() => rig.upstream.hits() === 1, 10_000)
  client.socket.destroy()
  rig.upstream.sockets[0]!.resume()
  await backAtRest(rig)
})
