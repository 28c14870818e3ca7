// Upstream connections are used again, and no request is ever sent twice: a POST
// on a connection that the upstream is just closing fails with a 502, and only
// where it can be known that nothing was sent does it go out on another one.
import t from 'tap'
import type { Socket } from 'node:net'
import { startFakeInference } from '../fake-inference.ts'
import { backAtRest, descriptors, eventually, isError, lastPost, post, rawClient, send, startGateway, startRig } from './helper.ts'

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'

t.test('keep-alive race: the upstream closes 5 ms after each reply', async t => {
  const rig = await startRig(t, socket => {
    socket.write(OK)
    setTimeout(() => socket.destroy(), 5)
  })
  let failed = 0
  const client = await rawClient(rig.gateway.port)
  let seen = 0
  for (let i = 0; i < 200; i++) {
    client.socket.write(post('/v1/chat/completions', `{"n":"request ${i}."}`))
    await eventually(() => client.text().slice(seen).endsWith('ok') || client.text().slice(seen).endsWith('}}'))
    const text = client.text().slice(seen)
    seen = client.text().length
    if (/^HTTP\/1.1 200/.test(text)) continue
    t.match(text, /^HTTP\/1.1 502/)
    failed++
  }
  t.ok(failed <= 2, `${failed} of 200 failed`)
  const received = Buffer.concat(rig.upstream.received).toString('latin1')
  for (let i = 0; i < 200; i++) t.ok(received.split(`request ${i}.`).length <= 2, `request ${i} sent at most once`)
  client.socket.destroy()
  await backAtRest(rig)
})

t.test('a connection closed while idle is not used', async t => {
  const rig = await startRig(t, socket => socket.write(OK))
  t.equal((await send(rig.gateway.port, lastPost('/v1/chat/completions'))).status, 200)
  rig.upstream.sockets[0]!.end()
  await eventually(() => rig.gateway.app.forwarder.connections.open === 0)
  t.equal((await send(rig.gateway.port, lastPost('/v1/chat/completions'))).status, 200)
  t.equal(rig.upstream.sockets.length, 2)
  await backAtRest(rig)
})

t.test('a connection that dies under the second request: 502, one hit', async t => {
  const rig = await startRig(t, (socket, hit) => hit === 0 ? socket.write(OK) : socket.resetAndDestroy())
  t.equal((await send(rig.gateway.port, lastPost('/v1/chat/completions'))).status, 200)
  isError(t, await send(rig.gateway.port, lastPost('/v1/chat/completions')), 502)
  t.equal(rig.upstream.hits(), 2)
  t.equal(rig.upstream.sockets.length, 1)
  await backAtRest(rig)
})

// The request comes first, and what the upstream does second; both are there when the gateway looks.
for (const [name, spoil] of Object.entries({
  'is closed': (socket: Socket) => socket.end(),
  'is reset': (socket: Socket) => socket.resetAndDestroy(),
  'brings bytes that nobody asked for': (socket: Socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison')
})) {
  t.test(`a connection that ${name} as a request is given to it: nothing was sent, another one serves`, async t => {
    const rig = await startRig(t, socket => socket.write(OK))
    const client = await rawClient(rig.gateway.port, post('/v1/chat/completions', '{}'))
    await client.until(/ok$/)
    client.socket.write(lastPost('/v1/chat/completions', '{}'))
    spoil(rig.upstream.sockets[0]!)
    await client.closed
    t.match(client.text(), /ok[^]*HTTP\/1.1 200 OK[^]*ok$/)
    t.equal(rig.upstream.hits(), 2)
    t.equal(rig.upstream.sockets.length, 2)
    await backAtRest(rig)
  })
}

t.test('one connection serves one client\'s requests in turn', async t => {
  const rig = await startRig(t, socket => socket.write(OK))
  for (let i = 0; i < 5; i++) await send(rig.gateway.port, lastPost('/v1/chat/completions'))
  t.equal(rig.upstream.sockets.length, 1)
})

for (const [name, answer] of Object.entries({
  'Connection: close': 'HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok',
  'HTTP/1.0': 'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok',
  'Keep-Alive: timeout=1': 'HTTP/1.1 200 OK\r\nconnection: keep-alive\r\nkeep-alive: timeout=1\r\ncontent-length: 2\r\n\r\nok'
})) {
  t.test(`an upstream that will not be used again: ${name}`, async t => {
    const rig = await startRig(t, socket => socket.write(answer))
    for (let i = 0; i < 3; i++) t.equal((await send(rig.gateway.port, lastPost('/v1/chat/completions'))).status, 200)
    t.equal(rig.upstream.sockets.length, 3)
    await eventually(() => rig.upstream.sockets.every(socket => socket.closed))
    await backAtRest(rig)
  })
}

t.test('idle connections are given back within 2 s', async t => {
  const service = await startFakeInference()
  t.teardown(() => service.close())
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: service.url })
  const before = descriptors()
  const answers = await Promise.all(Array.from({ length: 20 }, () => send(gateway.port, lastPost('/v1/chat/completions'))))
  t.ok(answers.every(answer => answer.status === 200))
  await eventually(() => descriptors() <= before, 2000)
  t.equal(gateway.app.forwarder.connections.open, 0)
})

t.test('an answer that comes too late does not end the reuse of connections', async t => {
  const rig = await startRig(t, (socket, hit) => { if (hit !== 1) socket.write(OK) }, { UPSTREAM_FIRST_BYTE_TIMEOUT: '0.3' })
  for (const status of [200, 504, 200, 200, 200]) t.equal((await send(rig.gateway.port, lastPost('/v1/chat/completions'))).status, status)
  t.equal(rig.upstream.sockets.length, 2, 'one for the late answer, one for the others')
})
