// Requests sent behind one another on one connection are begun one after the other:
// answers come in their order, one connection holds one slot, and a client that
// leaves stops all its work. Begun together, their answers would pile up, and Node
// stops reading such a connection: it would never notice that the client left.
import t from 'tap'
import type { Socket } from 'node:net'
import { backAtRest, clock, eventually, isError, parseAnswer, post, promptly, rawClient, send, lastPost, startRig } from './helper.ts'

const answer = (text: string) => `HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`
const chat = post('/v1/chat/completions', '{}')
const list = 'GET /v1/models HTTP/1.1\r\nhost: g\r\n\r\n'

t.test('a request is begun when the answer before it is complete', async t => {
  const sockets: Socket[] = []
  const rig = await startRig(t, socket => { sockets.push(socket) })
  const client = await rawClient(rig.gateway.port, Buffer.concat([chat, chat, chat]))
  for (const place of [0, 1, 2]) {
    await eventually(() => sockets.length === place + 1)
    await new Promise(resolve => setTimeout(resolve, 30))
    t.equal(rig.upstream.hits(), place + 1, 'the next one waits')
    t.equal(rig.gateway.app.forwarder.inFlight, 1, 'one slot')
    sockets[place]!.write(answer(`answer ${place}`))
    await client.until(new RegExp(`answer ${place}`))
  }
  t.same(client.text().match(/answer \d/g), ['answer 0', 'answer 1', 'answer 2'])
  client.socket.destroy()
  await backAtRest(rig)
})

const leavings: Record<string, (socket: Socket) => void> = { FIN: socket => socket.end(), RST: socket => socket.resetAndDestroy() }
const behind: Record<string, Buffer> = {
  'chats behind it': Buffer.concat(Array.from({ length: 10 }, () => chat)),
  'lists behind it': Buffer.from(list.repeat(15)),
  'bad targets behind it': Buffer.from('GET /% HTTP/1.1\r\nhost: g\r\n\r\n'.repeat(15))
}
for (const [leaving, leave] of Object.entries(leavings)) {
  for (const [kind, bytes] of Object.entries(behind)) {
    t.test(`a client that leaves in mid-answer, ${kind}: ${leaving}`, async t => {
      const rig = await startRig(t, socket => { socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n') })
      const client = await rawClient(rig.gateway.port, Buffer.concat([chat, bytes]))
      await client.until(/hello/)
      const start = clock()
      leave(client.socket)
      await eventually(() => rig.upstream.sockets[0]!.closed)
      t.ok(clock() - start < 250, `after ${Math.round(clock() - start)} ms`)
      await backAtRest(rig)
      t.equal(rig.upstream.hits(), 1, 'what waited never reached the upstream')
      client.socket.destroy()
    })
  }
}

t.test('too many requests on one connection close it; others are served', async t => {
  const rig = await startRig(t, (socket, hit) => { if (hit > 0) socket.write(answer('ok')) }, { MAX_CONCURRENT_REQUESTS: '4', MAX_QUEUED_REQUESTS: '4' })
  const first = await rawClient(rig.gateway.port, chat)
  await eventually(() => rig.upstream.hits() === 1)
  first.socket.write(Buffer.concat(Array.from({ length: 3000 }, () => chat)))
  await first.closed
  await promptly(() => rig.upstream.sockets[0]!.closed)
  t.match(await send(rig.gateway.port, lastPost('/v1/chat/completions')), { status: 200, body: 'ok' })
  await backAtRest(rig)
})

t.test('a request behind an Upgrade is not served, nor is its body', async t => {
  const rig = await startRig(t, socket => socket.write(answer('ok')))
  const smuggled = 'DELETE /v1/models HTTP/1.1\r\nhost: g\r\n\r\n'
  const client = await rawClient(rig.gateway.port, Buffer.concat([
    post('/v1/chat/completions', '{}', { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c' }),
    post('/v1/chat/completions', smuggled.padEnd(200))
  ]))
  await new Promise(resolve => setTimeout(resolve, 50))
  if (client.socket.writable) client.socket.write(smuggled)
  await client.closed
  const { status, body, headers, rest } = parseAnswer(client.text())
  t.match({ status, body, connection: headers.connection, rest }, { status: 200, body: 'ok', connection: 'close', rest: '' })
  t.equal(rig.upstream.hits(), 1)
  await backAtRest(rig)
})

t.test('a request behind an answer that closes the connection is not begun', async t => {
  const rig = await startRig(t, socket => socket.write(answer('ok')), { BODY_LIMIT: '1000' })
  const refused = Buffer.concat([Buffer.from('POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n8\r\nnonsense\r\n'), Buffer.from('0\r\n\r\n')])
  const client = await rawClient(rig.gateway.port, Buffer.concat([refused.subarray(0, -5), refused.subarray(-5), chat]))
  await client.closed
  isError(t, parseAnswer(client.text()), 400)
  t.equal(rig.upstream.hits(), 0)
  await backAtRest(rig)
})

t.test('a request that waited behind an Upgrade is not begun', async t => {
  const sockets: Socket[] = []
  const rig = await startRig(t, socket => { sockets.push(socket) })
  const client = await rawClient(rig.gateway.port, chat)
  await eventually(() => sockets.length === 1)
  client.socket.write(post('/v1/chat/completions', '{}', { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c' }))
  await new Promise(resolve => setTimeout(resolve, 30))
  client.socket.write(chat)
  await new Promise(resolve => setTimeout(resolve, 30))
  sockets[0]!.write(answer('first'))
  await eventually(() => sockets.length === 2)
  sockets[1]!.write(answer('second'))
  await client.closed
  await new Promise(resolve => setTimeout(resolve, 50))
  t.equal(rig.upstream.hits(), 2)
  await backAtRest(rig)
})

t.test('what follows a malformed request is not read', async t => {
  const rig = await startRig(t, socket => socket.write(answer('ok')))
  const client = await rawClient(rig.gateway.port, Buffer.concat([Buffer.from('POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n'), chat]))
  await client.closed
  isError(t, parseAnswer(client.text()), 400)
  t.equal(rig.upstream.hits(), 0)
  await backAtRest(rig)
})
