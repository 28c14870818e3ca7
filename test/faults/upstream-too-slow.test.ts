// The time limits towards the upstream, each just under and at its limit. A slow
// service gets its time to the millisecond; a silent one costs no more than that.
import t from 'tap'
import { backAtRest, clock, isError, lastPost, promptly, rawClient, send, startGateway, startRig } from './helper.ts'

const LIMIT = 1000
const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n'
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`
const EVENT = chunk('data: one\n\n')
const settings = { UPSTREAM_FIRST_BYTE_TIMEOUT: String(LIMIT / 1000), UPSTREAM_IDLE_TIMEOUT: String(LIMIT / 1000) }
const later = (milliseconds: number, act: () => void) => setTimeout(act, milliseconds)

t.test('no first byte: 504 at the limit, and the upstream is cut', async t => {
  const rig = await startRig(t, () => {}, settings)
  const start = performance.now()
  const startClock = clock()
  const answer = await send(rig.gateway.port, lastPost('/v1/chat/completions'))
  const took = performance.now() - start
  isError(t, answer, 504, 'upstream_timeout')
  t.ok(took >= LIMIT && clock() - startClock < LIMIT + 500, `after ${Math.round(took)} ms`)
  await promptly(() => rig.upstream.sockets[0]!.closed)
  t.equal(rig.upstream.hits(), 1)
  await backAtRest(rig)
})

t.test('half a head does not lengthen the time', async t => {
  const rig = await startRig(t, socket => {
    const timer = setInterval(() => socket.write('x'), 50)
    socket.write('HTTP/1.1 200 OK\r\nx-drip: ')
    socket.once('close', () => clearInterval(timer))
  }, settings)
  const startClock = clock()
  isError(t, await send(rig.gateway.port, lastPost('/v1/chat/completions')), 504)
  t.ok(clock() - startClock < LIMIT + 500)
  await backAtRest(rig)
})

t.test('a first token at 0.8 of the limit is in time', async t => {
  const rig = await startRig(t, socket => later(LIMIT * 0.8, () => socket.write(HEAD + EVENT + '0\r\n\r\n')), settings)
  const answer = await send(rig.gateway.port, lastPost('/v1/chat/completions'))
  t.match(answer, { status: 200, complete: true, body: 'data: one\n\n' })
  await backAtRest(rig)
})

t.test('silence in mid-stream: an error event at the limit, an incomplete end, and the upstream is cut', async t => {
  const rig = await startRig(t, socket => socket.write(HEAD + EVENT), settings)
  const client = await rawClient(rig.gateway.port, lastPost('/v1/chat/completions'))
  await client.until(/one/)
  const start = performance.now()
  const startClock = clock()
  await client.closed
  const took = performance.now() - start
  t.ok(took > LIMIT - 50 && clock() - startClock < LIMIT + 500, `after ${Math.round(took)} ms`)
  t.match(client.text(), /data: one\n\n\r\n[0-9a-f]+\r\ndata: \{"error":\{.*"code":"upstream_timeout"\}\}\n\n\r\n$/)
  await promptly(() => rig.upstream.sockets[0]!.closed)
  await backAtRest(rig)
})

t.test('chunks at 0.8 of the idle limit go on for ever', async t => {
  const rig = await startRig(t, socket => {
    socket.write(HEAD + EVENT)
    later(LIMIT * 0.8, () => socket.write(EVENT))
    later(LIMIT * 1.6, () => socket.write('0\r\n\r\n'))
  }, settings)
  const answer = await send(rig.gateway.port, lastPost('/v1/chat/completions'))
  t.match(answer, { status: 200, complete: true, body: 'data: one\n\ndata: one\n\n' })
  await backAtRest(rig)
})

t.test('the limits are separate: a long first byte under a short idle limit', async t => {
  const rig = await startRig(t, socket => later(400, () => socket.write(HEAD + EVENT + '0\r\n\r\n')), { UPSTREAM_FIRST_BYTE_TIMEOUT: '2', UPSTREAM_IDLE_TIMEOUT: '0.1' })
  t.match(await send(rig.gateway.port, lastPost('/v1/chat/completions')), { status: 200, complete: true })
  await backAtRest(rig)
})

t.test('a connection that is never ready: 502 at the connect limit', async t => {
  // Accepts, and never answers the TLS handshake.
  const rig = await startRig(t, () => {}, {})
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: rig.upstream.url.replace('http:', 'https:'), UPSTREAM_CONNECT_TIMEOUT: '0.4' })
  const start = performance.now()
  const startClock = clock()
  isError(t, await send(gateway.port, lastPost('/v1/chat/completions')), 502, 'upstream_unreachable')
  const took = performance.now() - start
  t.ok(took >= 400 && clock() - startClock < 900, `after ${Math.round(took)} ms`)
  await promptly(() => rig.upstream.sockets.every(socket => socket.closed))
})
