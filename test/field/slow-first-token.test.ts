// vLLM and everything on Starlette send a stream's head at once, and the first event
// after a prefill of minutes. The first-byte limit holds until the body's first
// byte; the idle limit counts from there.
import t from 'tap'
import { isError, lastPost, parseAnswer, rawClient, startRig, backAtRest } from '../faults/helper.ts'

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n'

t.test('a first event later than the idle limit', async t => {
  const rig = await startRig(t, socket => {
    socket.write(HEAD)
    setTimeout(() => socket.write('7\r\ndata: x\r\n0\r\n\r\n'), 700)
  }, { UPSTREAM_IDLE_TIMEOUT: '0.2', UPSTREAM_FIRST_BYTE_TIMEOUT: '5' })
  const client = await rawClient(rig.gateway.port, lastPost('/v1/chat/completions'))
  await client.until(/^HTTP\/1.1 200/)
  t.notMatch(client.text(), 'data:', 'the head is passed on at once')
  await client.closed
  t.match(parseAnswer(client.text()), { status: 200, body: 'data: x', complete: true })
  await backAtRest(rig)
})

t.test('no first event within the limit: an honest end', async t => {
  const rig = await startRig(t, socket => { socket.write(HEAD) }, { UPSTREAM_FIRST_BYTE_TIMEOUT: '0.3' })
  const client = await rawClient(rig.gateway.port, lastPost('/v1/chat/completions'))
  await client.closed
  t.match(parseAnswer(client.text()), { status: 200, complete: false, body: /^data: \{"error":\{.*"code":"upstream_timeout"\}\}\n\n$/ })
  const silent = await startRig(t, () => {}, { UPSTREAM_FIRST_BYTE_TIMEOUT: '0.3' })
  const unanswered = await rawClient(silent.gateway.port, lastPost('/v1/chat/completions'))
  await unanswered.closed
  isError(t, parseAnswer(unanswered.text()), 504)
})
