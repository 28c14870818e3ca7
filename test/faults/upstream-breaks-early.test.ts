// An upstream that ends the connection before a usable answer: 502, and the
// request is never sent a second time. It may have been run already, and a
// repeated generation costs GPU time, or a user's money.
import t from 'tap'
import type { Socket } from 'node:net'
import { backAtRest, isError, lastPost, send, startRig, startTableRig } from './helper.ts'

const fin = (socket: Socket) => socket.end()
const rst = (socket: Socket) => socket.resetAndDestroy()
const after = (bytes: string, end: (socket: Socket) => void) => (socket: Socket) => {
  socket.write(bytes)
  // A reset throws away what the other side's kernel has not yet handed over.
  setTimeout(end, 30, socket)
}
const endings: Record<string, (socket: Socket) => void> = {
  'FIN instead of an answer': fin,
  'RST instead of an answer': rst,
  'FIN inside the status line': after('HTTP/1.1 20', fin),
  'RST inside the head': after('HTTP/1.1 200 OK\r\ncontent-le', rst),
  'FIN inside the head': after('HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-upstream-secret: 1\r\n', fin),
  'FIN after an informational answer': after('HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n', fin)
}
const bodies = { 'held body': '{}', 'streamed body': `{"text":"${'x'.repeat(300_000)}"}` }

t.test('before an answer', async t => {
  const rig = await startTableRig(t)
  for (const [ending, behave] of Object.entries(endings)) {
    for (const [kind, body] of Object.entries(bodies)) {
      t.comment(`${ending}, ${kind}`)
      rig.behave(behave)
      const connections = rig.upstream.sockets.length
      isError(t, await send(rig.gateway.port, lastPost('/v1/chat/completions', body)), 502)
      t.equal(rig.hits(), 1)
      t.equal(rig.upstream.sockets.length, connections + 1)
      await backAtRest(rig)
    }
  }
})

// The answer has begun: a broken end is all that is left to tell.
for (const [head, type] of Object.entries({ 'content-length: 5': 'text/plain', 'transfer-encoding: chunked': 'text/event-stream' })) {
  for (const [name, end] of Object.entries({ fin, rst })) {
    t.test(`${name} after the head, before a byte (${head})`, async t => {
      const rig = await startRig(t, after(`HTTP/1.1 200 OK\r\n${head}\r\ncontent-type: ${type}\r\n\r\n`, end))
      const answer = await send(rig.gateway.port, lastPost('/v1/chat/completions'))
      t.equal(answer.status, 200)
      t.notOk(answer.complete)
      if (type === 'text/event-stream') t.match(answer.body, /^data: \{"error":.*\}\n\n$/)
      t.equal(rig.upstream.hits(), 1)
      await backAtRest(rig)
    })
  }
}
