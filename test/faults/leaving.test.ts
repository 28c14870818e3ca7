// Where the cancellation test has the plain cases, these are the awkward ones: the
// client leaves while its body is in pieces, compressed, multipart, or stopped
// by backpressure; while it does not read; half-closed; before a retry.
import t from 'tap'
import { gzipSync } from 'node:zlib'
import type { Socket } from 'node:net'
import { backAtRest, clock, descriptors, eventually, post, promptly, rawClient, startGateway, startRig, startTableRig } from './helper.ts'

const OPEN_MULTIPART = 'POST /v1/images/edits HTTP/1.1\r\nhost: g\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: 5000000\r\n\r\n--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
const chunked = (path: string, body: string | Buffer, headers = '') => Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\n${headers}transfer-encoding: chunked\r\n\r\n${Buffer.byteLength(body).toString(16)}\r\n`), Buffer.from(body), Buffer.from('\r\n')])
const large = `{"model":"m","text":"${'x'.repeat(2_000_000)}`

const leavings: Record<string, (socket: Socket) => void> = {
  FIN: socket => socket.destroy(),
  RST: socket => socket.resetAndDestroy(),
  'half-close': socket => socket.end()
}

// Half-sent bodies; where one has gone upstream, that request is cut and never completed.
const uploads: Record<string, { bytes: Buffer, upstream: boolean }> = {
  'inside the request line': { bytes: Buffer.from('POST /v1/chat/com'), upstream: false },
  'inside the head': { bytes: Buffer.from('POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nconte'), upstream: false },
  'before the body': { bytes: post('/v1/chat/completions', '{}').subarray(0, -2), upstream: false },
  'inside a small body': { bytes: post('/v1/chat/completions', '{"model":"m"}').subarray(0, -5), upstream: false },
  'inside a large body': { bytes: post('/v1/chat/completions', large).subarray(0, -5), upstream: true },
  'inside a chunk': { bytes: chunked('/v1/chat/completions', large).subarray(0, -5), upstream: true },
  'between chunks': { bytes: chunked('/v1/chat/completions', large), upstream: true },
  'inside a compressed body': { bytes: chunked('/v1/chat/completions', gzipSync(large).subarray(0, 1000), 'content-encoding: gzip\r\n'), upstream: true },
  'inside a multipart file': { bytes: Buffer.concat([Buffer.from(OPEN_MULTIPART), Buffer.alloc(1_000_000)]), upstream: true },
  'inside a passed-through body': { bytes: post('/v1/embeddings', large).subarray(0, -5), upstream: true }
}
t.test('half-sent requests', async t => {
  const rig = await startTableRig(t)
  for (const [phase, { bytes, upstream }] of Object.entries(uploads)) {
    for (const [leaving, leave] of Object.entries(leavings)) {
      t.comment(`${phase}, ${leaving}`)
      rig.behave(() => {})
      const connections = rig.upstream.sockets.length
      const client = await rawClient(rig.gateway.port, bytes)
      if (upstream) await eventually(() => rig.hits() === 1)
      else await new Promise(resolve => setTimeout(resolve, 30))
      const start = clock()
      leave(client.socket)
      await eventually(() => rig.upstream.sockets.every(socket => socket.closed))
      t.ok(clock() - start < 250, `after ${Math.round(clock() - start)} ms`)
      t.equal(rig.upstream.sockets.length - connections, upstream ? 1 : 0)
      t.equal(rig.hits(), upstream ? 1 : 0)
      t.notMatch(rig.upstream.received.at(-1)?.subarray(-7).toString('latin1'), /\r\n0\r\n\r\n$/, 'no complete body')
      client.socket.destroy()
      await backAtRest(rig)
    }
  }
})

t.test('while it reads nothing of a flood', async t => {
  const rig = await startRig(t, socket => {
    socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')
    const piece = `10000\r\n${'x'.repeat(0x10000)}\r\n`
    const more = () => { while (!socket.destroyed && socket.write(piece)); }
    socket.on('drain', more)
    more()
  })
  const client = await rawClient(rig.gateway.port, post('/v1/chat/completions', '{}'))
  client.socket.pause()
  await new Promise(resolve => setTimeout(resolve, 200))
  const start = clock()
  client.socket.destroy()
  await eventually(() => rig.upstream.sockets[0]!.closed)
  t.ok(clock() - start < 250)
  await backAtRest(rig)
})

// Nothing is read from a client whose upload is held back, so its end shows only
// when the upstream reads again: until then that one computes nothing either.
t.test('while its upload waits for an upstream that does not read', async t => {
  const rig = await startRig(t, socket => { socket.pause() })
  const client = await rawClient(rig.gateway.port, post('/v1/chat/completions', `{"text":"${'x'.repeat(30_000_000)}"}`))
  await eventually(() => rig.upstream.hits() === 1)
  await new Promise(resolve => setTimeout(resolve, 200))
  client.socket.resetAndDestroy()
  rig.upstream.sockets[0]!.resume()
  await eventually(() => rig.upstream.sockets[0]!.closed)
  t.ok(rig.upstream.received[0]!.length < 30_000_000)
  await backAtRest(rig)
})

t.test('while the connect is under way: no handshake is left behind', async t => {
  const rig = await startRig(t, () => {})
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: rig.upstream.url.replace('http:', 'https:'), UPSTREAM_CONNECT_TIMEOUT: '30' })
  const before = descriptors()
  const client = await rawClient(gateway.port, post('/v1/chat/completions', '{}'))
  await eventually(() => rig.upstream.sockets.length === 1)
  client.socket.destroy()
  await promptly(() => rig.upstream.sockets[0]!.closed)
  await backAtRest({ ...rig, gateway, descriptors: before })
})

t.test('while a failed connect waits for its next try: there is none', async t => {
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: 'http://127.0.0.1:1' })
  const client = await rawClient(gateway.port, post('/v1/chat/completions', '{}'))
  await new Promise(resolve => setTimeout(resolve, 20))
  client.socket.destroy()
  await promptly(() => gateway.app.forwarder.underWay === 0)
  t.equal(gateway.app.forwarder.connections, 0)
})
