// A client that leaves must stop the upstream's work within 250 ms, whatever
// the exchange was doing: a GPU second spent on nobody is the costliest bug.
import t from 'tap'
import { gzipSync } from 'node:zlib'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { clock } from '../faults/helper.ts'
import { atRest, eventually, post, rawClient, startGateway, startRawUpstream } from '../helper.ts'

const CHUNKED = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n'
const EVENT = 'd\r\ndata: hello\n\n\r\n'

type Upstream = (socket: Socket) => void
const phases: Record<string, { upstream: Upstream, ready: RegExp }> = {
  'waiting for the first byte': { upstream: () => {}, ready: /^/ },
  'head only': { upstream: socket => socket.write(CHUNKED), ready: /\r\n\r\n/ },
  'mid-stream': {
    upstream: socket => {
      socket.write(CHUNKED)
      const timer = setInterval(() => socket.write(EVENT), 20)
      socket.once('close', () => clearInterval(timer))
    },
    ready: /hello/
  },
  'mid-stream, upstream silent': { upstream: socket => socket.write(CHUNKED + EVENT), ready: /hello/ },
  'plain answer, half sent': { upstream: socket => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf'), ready: /half/ }
}
const leavings: Record<string, (socket: Socket) => void> = {
  FIN: socket => socket.end(),
  RST: socket => socket.resetAndDestroy()
}

for (const [phase, { upstream: behave, ready }] of Object.entries(phases)) {
  for (const [leaving, leave] of Object.entries(leavings)) {
    t.test(`${phase}, ${leaving}`, async t => {
      const upstream = await startRawUpstream(t, behave)
      const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: upstream.url })
      const client = await rawClient(gateway.port, post('/v1/chat/completions', '{"stream":true}'))
      await eventually(() => upstream.hits() === 1)
      await client.until(ready)
      const closed = once(upstream.sockets[0]!, 'close')
      const left = clock()
      leave(client.socket)
      await closed
      t.ok(clock() - left < 250, `aborted after ${Math.round(clock() - left)} ms`)
      await atRest(gateway)
      t.equal(upstream.sockets.length, 1, 'no connection was opened for the abort')
      client.socket.destroy()
    })
  }
}

t.test('while queued: the request never reaches the upstream', async t => {
  const upstream = await startRawUpstream(t, () => {})
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: upstream.url, MAX_CONCURRENT_REQUESTS: '2' })
  const running = [await rawClient(gateway.port, post('/v1/chat/completions', '{}')), await rawClient(gateway.port, post('/v1/chat/completions', '{}'))]
  await eventually(() => upstream.hits() === 2)
  const queued = await rawClient(gateway.port, post('/v1/chat/completions', '{"queued":true}'))
  await eventually(() => gateway.app.forwarder.underWay === 3)
  queued.socket.resetAndDestroy()
  await eventually(() => gateway.app.forwarder.underWay === 2)
  for (const client of running) client.socket.destroy()
  await atRest(gateway)
  t.equal(upstream.hits(), 2)
  t.notMatch(Buffer.concat(upstream.received).toString(), /queued/)
})

for (const [name, size, headers] of [['in memory', 200_000, {}], ['on disk', 2_000_000, {}], ['compressed', 2_000_000, { 'content-encoding': 'gzip' }]] as const) {
  t.test(`while uploading, ${name}: the request never reaches the upstream, and nothing is kept`, async t => {
    const upstream = await startRawUpstream(t, () => {})
    const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: upstream.url })
    const { forwarder } = gateway.app
    const text = `{"model":"m","text":"${'x'.repeat(size)}"}`
    const whole = post('/v1/chat/completions', 'content-encoding' in headers ? gzipSync(text, { level: 0 }) : text, headers)
    const client = await rawClient(gateway.port, whole.subarray(0, whole.length / 2))
    await eventually(() => forwarder.underWay === 1 && (size < 1_000_000 || forwarder.space.files === 1))
    t.equal(forwarder.inFlight, 0, 'no slot is held')
    client.socket.destroy()
    await atRest(gateway)
    await eventually(() => forwarder.space.files === 0)
    t.equal(forwarder.space.bytes, 0)
    t.equal(upstream.sockets.length, 0)
  })
}
