// Requests sent behind one another on one connection: answers in their order, each
// its own, and a client that leaves stops the work of all of them. Node tells
// of the end of a connection only to the answer that has its turn.
import t from 'tap'
import type { Socket } from 'node:net'
import { backAtRest, clock, eventually, post, rawClient, startRig } from './helper.ts'

const answer = (text: string) => `HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`

t.test('answers keep the order of the requests', async t => {
  // The later a request, the sooner its answer.
  const rig = await startRig(t, (socket, hit) => setTimeout(() => socket.write(answer(`answer ${hit};`)), 150 - hit * 40))
  const client = await rawClient(rig.gateway.port)
  for (let i = 0; i < 3; i++) {
    client.socket.write(post('/v1/chat/completions', '{}'))
    await eventually(() => rig.upstream.hits() === i + 1)
  }
  const text = await client.until(/answer [^]*answer [^]*answer \d;/)
  t.same(text.match(/answer \d/g), ['answer 0', 'answer 1', 'answer 2'])
  client.socket.destroy()
  await backAtRest(rig)
})

const leavings: Record<string, (socket: Socket) => void> = { FIN: socket => socket.end(), RST: socket => socket.resetAndDestroy() }
const upstreams: Record<string, (socket: Socket) => void> = {
  'all silent': () => {},
  'all streaming': socket => {
    socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')
    const timer = setInterval(() => socket.write(`4000\r\n${'x'.repeat(0x4000)}\r\n`), 10)
    socket.once('close', () => clearInterval(timer))
  }
}
for (const [leaving, leave] of Object.entries(leavings)) {
  for (const [kind, behave] of Object.entries(upstreams)) {
    t.test(`a client that leaves stops all its requests: ${leaving}, ${kind}`, async t => {
      const rig = await startRig(t, behave)
      const client = await rawClient(rig.gateway.port, Buffer.concat([1, 2, 3].map(() => post('/v1/chat/completions', '{}'))))
      await eventually(() => rig.upstream.hits() === 3)
      const start = clock()
      leave(client.socket)
      await eventually(() => rig.upstream.sockets.every(socket => socket.closed))
      t.ok(clock() - start < 250, `after ${Math.round(clock() - start)} ms`)
      await backAtRest(rig)
      client.socket.destroy()
    })
  }
}

t.test('an answer behind another one is held back at the upstream, not in memory', async t => {
  let sent = 0
  const rig = await startRig(t, (socket, hit) => {
    if (hit === 0) return
    socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')
    const piece = `10000\r\n${'x'.repeat(0x10000)}\r\n`
    const more = () => { while (!socket.destroyed && socket.write(piece)) sent += piece.length }
    socket.on('drain', more)
    more()
  })
  const client = await rawClient(rig.gateway.port, Buffer.concat([post('/v1/chat/completions', '{}'), post('/v1/chat/completions', '{}')]))
  await eventually(() => rig.upstream.hits() === 2)
  await new Promise(resolve => setTimeout(resolve, 300))
  const plateau = sent
  await new Promise(resolve => setTimeout(resolve, 200))
  t.equal(sent, plateau, 'the upstream came to a stand')
  client.socket.destroy()
  await backAtRest(rig)
})

t.test('a stream that breaks does not take the answer before it along', async t => {
  const sockets: Socket[] = []
  const rig = await startRig(t, (socket, hit) => { sockets[hit] = socket })
  const client = await rawClient(rig.gateway.port)
  for (const hit of [0, 1]) {
    client.socket.write(post('/v1/chat/completions', '{}'))
    await eventually(() => rig.upstream.hits() === hit + 1)
  }
  sockets[1]!.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n')
  await new Promise(resolve => setTimeout(resolve, 50))
  sockets[1]!.resetAndDestroy()
  await new Promise(resolve => setTimeout(resolve, 50))
  sockets[0]!.write(answer('whole'))
  await client.closed
  t.match(client.text(), /content-length: 5[^]*whole/)
  t.notMatch(client.text(), /0\r\n\r\n$/)
  await backAtRest(rig)
})

t.test('what follows a malformed request is not read', async t => {
  const rig = await startRig(t, socket => socket.write(answer('ok')))
  const client = await rawClient(rig.gateway.port, Buffer.concat([Buffer.from('POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n'), post('/v1/chat/completions', '{}')]))
  await client.closed
  t.match(client.text(), /^HTTP\/1.1 400/)
  t.equal(rig.upstream.hits(), 0)
  await backAtRest(rig)
})
