// A stream that breaks upstream never looks complete. All that had arrived goes
// out, an event stream gets an error event at an event boundary (never a made-up
// [DONE]), and the connection ends without the terminator that its framing owes.
import t from 'tap'
import { gzipSync } from 'node:zlib'
import type { Socket } from 'node:net'
import { backAtRest, lastPost, send, startRig, startTableRig, type Answer, type Test } from './helper.ts'

const chunk = (text: string) => `${Buffer.byteLength(text, 'latin1').toString(16)}\r\n${text}\r\n`
const SSE = 'content-type: text/event-stream\r\n'
const CHUNKED = 'transfer-encoding: chunked\r\n'
const ERROR = /data: \{"error":\{"message":"[^"]+","type":"upstream_error","param":null,"code":"upstream_failed"\}\}\n\n$/

const cuts: Record<string, (socket: Socket) => void> = { FIN: socket => socket.end(), RST: socket => socket.resetAndDestroy() }

/** What the upstream sends before the cut, and how the client's bytes must end. */
interface Case { headers: string, bytes: string, delivered: string, event: 'at once' | 'after a blank line' | 'none', only?: 'RST' }
const cases: Record<string, Case> = {
  'at an event boundary': { headers: SSE + CHUNKED, bytes: chunk('data: one\n\n'), delivered: 'data: one\n\n', event: 'at once' },
  'inside an event': { headers: SSE + CHUNKED, bytes: chunk('data: one\n\n') + chunk('data: tw'), delivered: 'data: one\n\ndata: tw', event: 'after a blank line' },
  'after a line of an event': { headers: SSE + CHUNKED, bytes: chunk('data: one\n'), delivered: 'data: one\n', event: 'after a blank line' },
  'inside a chunk': { headers: SSE + CHUNKED, bytes: '20\r\ndata: on', delivered: 'data: on', event: 'after a blank line' },
  'CRLF events, at a boundary': { headers: SSE + CHUNKED, bytes: chunk('data: one\r\n\r\n'), delivered: 'data: one\r\n\r\n', event: 'at once' },
  'CRLF events, inside the blank line': { headers: SSE + CHUNKED, bytes: chunk('data: one\r\n\r'), delivered: 'data: one\r\n\r', event: 'after a blank line' },
  'CR events, at a boundary': { headers: SSE + CHUNKED, bytes: chunk('data: one\r\r'), delivered: 'data: one\r\r', event: 'at once' },
  'boundary split over two chunks': { headers: SSE + CHUNKED, bytes: chunk('data: one\n') + chunk('\n'), delivered: 'data: one\n\n', event: 'at once' },
  'type with a parameter': { headers: 'Content-Type: Text/Event-Stream; charset=utf-8\r\n' + CHUNKED, bytes: chunk('data: one\n\n'), delivered: 'data: one\n\n', event: 'at once' },
  'after the last event, before the terminator': { headers: SSE + CHUNKED, bytes: chunk('data: [DONE]\n\n'), delivered: 'data: [DONE]\n\n', event: 'at once' },
  'event stream with a length': { headers: SSE + 'content-length: 100\r\n', bytes: 'data: one\n\n', delivered: 'data: one\n\n', event: 'none' },
  'compressed event stream': { headers: SSE + CHUNKED + 'content-encoding: gzip\r\n', bytes: chunk(gzipSync('data: one\n\n').subarray(0, 20).toString('latin1')), delivered: gzipSync('data: one\n\n').subarray(0, 20).toString('latin1'), event: 'none' },
  'plain chunked answer': { headers: 'content-type: application/json\r\n' + CHUNKED, bytes: chunk('{"half":'), delivered: '{"half":', event: 'none' },
  'plain answer with a length': { headers: 'content-type: application/json\r\ncontent-length: 100\r\n', bytes: '{"half":', delivered: '{"half":', event: 'none' },
  // A FIN is how such a body ends when all is well.
  'event stream that ends with its connection': { headers: SSE, bytes: 'data: one\n\ndata: tw', delivered: 'data: one\n\ndata: tw', event: 'after a blank line', only: 'RST' },
  'plain body that ends with its connection': { headers: 'content-type: text/plain\r\n', bytes: 'half', delivered: 'half', event: 'none', only: 'RST' }
}

function endsHonestly (test: Test, answer: Answer, { delivered, event }: Case): void {
  test.equal(answer.status, 200)
  test.notOk(answer.complete, 'incomplete')
  test.ok(answer.body.startsWith(delivered), 'what had arrived was delivered')
  const added = answer.body.slice(delivered.length)
  if (event === 'none') test.equal(added, '')
  else test.match(added, new RegExp(`^${event === 'at once' ? '' : '\n\n'}${ERROR.source}`))
}

t.test('cut', async t => {
  const rig = await startTableRig(t)
  for (const [name, kase] of Object.entries(cases)) {
    for (const [cut, end] of Object.entries(cuts)) {
      if (kase.only !== undefined && kase.only !== cut) continue
      t.comment(`${name}, ${cut}`)
      rig.behave(socket => {
        socket.write(`HTTP/1.1 200 OK\r\n${kase.headers}\r\n${kase.bytes}`, 'latin1')
        setTimeout(end, 30, socket)
      })
      endsHonestly(t, await send(rig.gateway.port, lastPost('/v1/chat/completions')), kase)
      t.equal(rig.hits(), 1)
      await backAtRest(rig)
    }
  }
})

t.test('a FIN ends a body without framing completely', async t => {
  const rig = await startRig(t, socket => socket.end('HTTP/1.1 200 OK\r\n\r\nwhole'))
  t.match(await send(rig.gateway.port, lastPost('/v1/chat/completions')), { status: 200, complete: true, body: 'whole' })
  await backAtRest(rig)
})

// To HTTP/1.0 the end of the connection is the only framing: it has to be a bad one.
for (const [cut, end] of Object.entries(cuts)) {
  t.test(`client of HTTP/1.0, ${cut}`, async t => {
    const rig = await startRig(t, socket => {
      socket.write(`HTTP/1.1 200 OK\r\n${SSE}${CHUNKED}\r\n${chunk('data: one\n\n')}`)
      setTimeout(end, 30, socket)
    })
    const answer = await send(rig.gateway.port, 'POST /v1/chat/completions HTTP/1.0\r\nhost: g\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}')
    t.equal(answer.status, 200)
    t.ok(answer.failed, 'the connection was reset')
    await backAtRest(rig)
  })
}

t.test('an upstream that breaks in the packet of its first event: head, event and error keep their order', async t => {
  const rig = await startRig(t, socket => socket.write(`HTTP/1.1 200 OK\r\n${SSE}${CHUNKED}\r\n${chunk('data: one\n\n')}no chunk\r\n`))
  const answer = await send(rig.gateway.port, lastPost('/v1/chat/completions'))
  t.match(answer, { status: 200, complete: false })
  t.match(answer.body.toString(), /^data: one\n\ndata: \{"error":\{[^\n]*\}\}\n\n$/)
  await backAtRest(rig)
})
