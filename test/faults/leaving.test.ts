// Where the cancellation test has the plain cases, these are the awkward ones: the
// client leaves while its body is in pieces, compressed, multipart, or stopped
// by backpressure; while it does not read; half-closed; before a retry.
import t from 'tap'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { FastifyInstance } from 'fastify'
import { gzipSync } from 'node:zlib'
import type { Socket } from 'node:net'
import { backAtRest, descriptors, eventually, post, promptly, rawClient, startGateway, startRig, startTableRig } from './helper.ts'

const OPEN_MULTIPART = 'POST /v1/images/edits HTTP/1.1\r\nhost: g\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: 5000000\r\n\r\n--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
const chunked = (path: string, body: string | Buffer, headers = '') => Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\n${headers}transfer-encoding: chunked\r\n\r\n${Buffer.byteLength(body).toString(16)}\r\n`), Buffer.from(body), Buffer.from('\r\n')])
const large = `{"model":"m","text":"${'x'.repeat(2_000_000)}`

const leavings: Record<string, (socket: Socket) => void> = {
  FIN: socket => socket.destroy(),
  RST: socket => socket.resetAndDestroy(),
  'half-close': socket => socket.end()
}

// Half-sent requests. None of them goes upstream.
const uploads: Record<string, { bytes: Buffer }> = {
  'inside the request line': { bytes: Buffer.from('POST /v1/chat/com') },
  'inside the head': { bytes: Buffer.from('POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nconte') },
  'before the body': { bytes: post('/v1/chat/completions', '{}').subarray(0, -2) },
  'inside a small body': { bytes: post('/v1/chat/completions', '{"model":"m"}').subarray(0, -5) },
  'inside a large body': { bytes: post('/v1/chat/completions', large).subarray(0, -5) },
  'inside a chunk': { bytes: chunked('/v1/chat/completions', large).subarray(0, -5) },
  'between chunks': { bytes: chunked('/v1/chat/completions', large) },
  'inside a compressed body': { bytes: chunked('/v1/chat/completions', gzipSync(large).subarray(0, 1000), 'content-encoding: gzip\r\n') },
  'inside a multipart file': { bytes: Buffer.concat([Buffer.from(OPEN_MULTIPART), Buffer.alloc(1_000_000)]) },
  'inside a passed-through body': { bytes: post('/v1/embeddings', large).subarray(0, -5) }
}
t.test('half-sent requests', async t => {
  const rig = await startTableRig(t)
  for (const [phase, { bytes }] of Object.entries(uploads)) {
    for (const [leaving, leave] of Object.entries(leavings)) {
      t.comment(`${phase}, ${leaving}`)
      rig.behave(() => {})
      const client = await rawClient(rig.gateway.port, bytes)
      await new Promise(resolve => setTimeout(resolve, 30))
      leave(client.socket)
      await promptly(() => rig.gateway.app.forwarder.underWay === 0)
      t.equal(rig.upstream.sockets.length, 0, 'nothing went upstream')
      await eventually(() => rig.gateway.app.forwarder.space.files === 0)
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
  await eventually(() => rig.upstream.hits() === 1)
  await new Promise(resolve => setTimeout(resolve, 200))
  client.socket.destroy()
  await promptly(() => rig.upstream.sockets[0]!.closed)
  await backAtRest(rig)
})

t.test('while an upstream that does not read is sent its body', async t => {
  const rig = await startRig(t, socket => { socket.pause() })
  const client = await rawClient(rig.gateway.port, post('/v1/chat/completions', `{"text":"${'x'.repeat(30_000_000)}"}`))
  await eventually(() => rig.upstream.hits() === 1, 20_000)
  client.socket.resetAndDestroy()
  await promptly(() => rig.gateway.app.forwarder.underWay === 0)
  // A paused socket does not see that the other side is gone.
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

// Redis, an authorisation service, instrumentation: hooks may wait before the handler runs.
t.test('while a hook waits: no slot is held, and nothing goes upstream', async t => {
  const entered: (() => void)[] = []
  const addHook = (message: unknown) => {
    (message as { fastify: FastifyInstance }).fastify.addHook('onRequest', async () => { await new Promise<void>(resolve => entered.push(resolve)) })
  }
  subscribe('fastify.initialization', addHook)
  t.teardown(() => unsubscribe('fastify.initialization', addHook))
  const rig = await startRig(t, () => {})
  for (const bytes of [post('/v1/chat/completions', '{}'), Buffer.from('GET /v1/responses/a?stream=true HTTP/1.1\r\nhost: g\r\n\r\n')]) {
    const client = await rawClient(rig.gateway.port, bytes)
    await eventually(() => entered.length === 1)
    client.socket.resetAndDestroy()
    await new Promise(resolve => setTimeout(resolve, 50))
    entered.pop()!()
    await new Promise(resolve => setTimeout(resolve, 50))
    await backAtRest(rig)
    t.equal(rig.upstream.hits(), 0)
  }
})

t.test('while a failed connect waits for its next try: there is none', async t => {
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: 'http://127.0.0.1:1' })
  const client = await rawClient(gateway.port, post('/v1/chat/completions', '{}'))
  await new Promise(resolve => setTimeout(resolve, 20))
  client.socket.destroy()
  await promptly(() => gateway.app.forwarder.underWay === 0)
  t.equal(gateway.app.forwarder.connections.open, 0)
})
