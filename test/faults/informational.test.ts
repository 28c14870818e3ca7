// Informational answers precede the final one and may come unasked (RFC 9110
// section 15.2): the client gets the final one, and its time limits are kept.
import t from 'tap'
import { backAtRest, isError, lastPost, send, startRig, startTableRig } from './helper.ts'

const FINAL = 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello'
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'
const HINTS = 'HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nx-upstream-secret: 1\r\n\r\n'
const PROCESSING = 'HTTP/1.1 102 Processing\r\n\r\n'

const before: Record<string, string[]> = {
  'a 103': [HINTS],
  'a 103 apart from the answer': [HINTS, ''],
  'a 102 in two pieces': ['HTTP/1.1 102 Proc', 'essing\r\n\r\n'],
  'several of them': [PROCESSING, PROCESSING + HINTS, PROCESSING]
}
const bodies = { small: '{}', large: `{"text":"${'x'.repeat(400_000)}"}` }
t.test('before the answer', async t => {
  const rig = await startTableRig(t)
  for (const [name, pieces] of Object.entries(before)) {
    for (const [kind, body] of Object.entries(bodies)) {
      t.comment(`${name}, ${kind} body`)
      rig.behave(async socket => {
        for (const piece of pieces.slice(0, -1)) {
          socket.write(piece)
          await new Promise(resolve => setTimeout(resolve, 20))
        }
        socket.write(pieces.at(-1) + FINAL)
      })
      const answer = await send(rig.gateway.port, lastPost('/v1/chat/completions', body))
      t.match(answer, { status: 200, complete: true, body: 'hello' })
      t.notMatch(answer.text, /secret|HTTP\/1.1 1/)
      t.equal(rig.hits(), 1)
      await backAtRest(rig)
    }
  }
})

// undici takes a 100 that was not asked for as a broken connection.
t.test('a 100 that was not asked for is an honest 502, or taken in', async t => {
  const rig = await startRig(t, socket => socket.write(CONTINUE + FINAL))
  const answer = await send(rig.gateway.port, lastPost('/v1/chat/completions'))
  if (answer.status === 200) t.equal(answer.body, 'hello')
  else isError(t, answer, 502)
  t.equal(rig.upstream.hits(), 1)
  await backAtRest(rig)
})

t.test('they do not lengthen the time to the first byte', async t => {
  const rig = await startRig(t, socket => {
    const timer = setInterval(() => socket.write(PROCESSING), 50)
    socket.once('close', () => clearInterval(timer))
  }, { UPSTREAM_FIRST_BYTE_TIMEOUT: '0.5' })
  isError(t, await send(rig.gateway.port, lastPost('/v1/chat/completions')), 504)
  await backAtRest(rig)
})
