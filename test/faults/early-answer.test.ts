// An upstream may answer before it has read the whole upload (413, 401), and then
// stop reading, or close. Its answer reaches the client, and the connection, on
// which half an upload is under way, carries nothing else.
import t from 'tap'
import type { Socket } from 'node:net'
import { backAtRest, eventually, parseAnswer, post, rawClient, send, startRig, lastPost } from './helper.ts'

const BODY = '{"error":{"message":"too much"}}'
const answer = (connection: string) => `HTTP/1.1 413 Content Too Large\r\nconnection: ${connection}\r\ncontent-type: application/json\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`

const endings: Record<string, (socket: Socket) => void> = {
  'keeps the connection and reads on': socket => socket.write(answer('keep-alive')),
  'keeps the connection and reads no more': socket => { socket.pause(); socket.write(answer('keep-alive')) },
  'closes in order': socket => { socket.write(answer('close')); setTimeout(() => socket.end(), 20) },
  // Unread bytes make the kernel send an RST after the answer.
  'closes with bytes unread': socket => { socket.pause(); socket.end(answer('close'), () => setTimeout(() => socket.destroy(), 20)) }
}
for (const [ending, behave] of Object.entries(endings)) {
  for (const path of ['/v1/chat/completions', '/v1/embeddings']) {
    t.test(`the upstream ${ending}, ${path}`, async t => {
      const rig = await startRig(t, behave)
      const whole = post(path, `{"model":"m","text":"${'x'.repeat(8_000_000)}"}`)
      const client = await rawClient(rig.gateway.port, whole.subarray(0, 4_000_000))
      await client.until(/too much/)
      const { status, complete, headers } = parseAnswer(client.text())
      t.match({ status, complete, connection: headers.connection }, { status: 413, complete: true, connection: 'close' })
      client.socket.write(whole.subarray(4_000_000))
      await client.closed
      // A paused socket does not see that the other side is gone.
      rig.upstream.sockets[0]!.resume()
      await eventually(() => rig.upstream.sockets[0]!.closed)
      await backAtRest(rig)
      t.equal(rig.upstream.hits(), 1)
    })
  }
}

t.test('an answer that streams while the upload goes on', async t => {
  const rig = await startRig(t, socket => {
    socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n')
    const timer = setInterval(() => {
      if (rig.upstream.received[0]!.includes('last"}')) {
        clearInterval(timer)
        socket.write('6\r\nsecond\r\n0\r\n\r\n')
      }
    }, 10)
    socket.once('close', () => clearInterval(timer))
  })
  const whole = post('/v1/chat/completions', `{"model":"m","text":"${'x'.repeat(1_000_000)} last"}`)
  const client = await rawClient(rig.gateway.port, whole.subarray(0, 500_000))
  await client.until(/first/)
  client.socket.write(whole.subarray(500_000))
  await client.until(/second\r\n0\r\n\r\n/)
  client.socket.destroy()
  await backAtRest(rig)
})

t.test('the next request after an early answer gets a connection of its own', async t => {
  const rig = await startRig(t, (socket, hit) => socket.write(hit === 0 ? answer('keep-alive') : 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'))
  const client = await rawClient(rig.gateway.port, post('/v1/chat/completions', `{"text":"${'x'.repeat(4_000_000)}"}`).subarray(0, 1_000_000))
  await client.until(/too much/)
  t.match(await send(rig.gateway.port, lastPost('/v1/chat/completions')), { status: 200, body: 'ok' })
  t.equal(rig.upstream.sockets.length, 2)
  client.socket.destroy()
  await backAtRest(rig)
})
