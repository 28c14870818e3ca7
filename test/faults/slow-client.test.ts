// A request that arrives drop by drop must not hold a connection, or a slot, for
// ever: 408 in the error shape at its limit, give or take the second that Node
// takes to look, and the connection closed.
import t from 'tap'
import type { Socket } from 'node:net'
import { backAtRest, clock, descriptors, eventually, isError, lastPost, openIdle, parseAnswer, post, rawClient, send, startRig, type Rig } from './helper.ts'

const LIMIT = 500
const HEADERS = { CLIENT_HEADERS_TIMEOUT: String(LIMIT / 1000) }
const BODY = { CLIENT_BODY_TIMEOUT: String(LIMIT / 1000) }
const HEAD = 'POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\n'

/** Writes a byte now and then until the socket closes. */
function drip (socket: Socket, byte: string): void {
  const timer = setInterval(() => socket.write(byte), 50)
  socket.once('close', () => clearInterval(timer))
}

const slow: Record<string, { settings: Record<string, string>, start: string | Buffer, drip?: string, answer?: number }> = {
  'half a request line': { settings: HEADERS, start: 'POST /v1/ch' },
  'headers, dripping': { settings: HEADERS, start: HEAD + 'x-drip: ', drip: 'x' },
  'empty lines before the request, dripping': { settings: HEADERS, start: '\r\n', drip: '\r\n' },
  'no body': { settings: BODY, start: HEAD + 'content-length: 100\r\n\r\n' },
  'a small body, dripping': { settings: BODY, start: HEAD + 'content-length: 100\r\n\r\n{"text":"', drip: 'x' },
  'a chunked body, dripping': { settings: BODY, start: HEAD + 'transfer-encoding: chunked\r\n\r\n', drip: '1\r\n \r\n' },
  'a chunk size, dripping': { settings: BODY, start: HEAD + 'transfer-encoding: chunked\r\n\r\n', drip: '0' },
  'a large body, dripping': { settings: BODY, start: post('/v1/chat/completions', `{"text":"${'x'.repeat(1_000_000)}`).subarray(0, 500_000), drip: 'x' },
  'a large body that stands still': { settings: BODY, start: post('/v1/chat/completions', `{"text":"${'x'.repeat(1_000_000)}`).subarray(0, 500_000) },
  'a large body that stands still, with a shorter first-byte limit': { settings: { ...BODY, UPSTREAM_FIRST_BYTE_TIMEOUT: '0.1' }, start: post('/v1/chat/completions', `{"text":"${'x'.repeat(1_000_000)}`).subarray(0, 500_000) },
  'a body that nobody reads': { settings: BODY, start: 'POST /v1/unlisted HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n', answer: 404 }
}
// All at once: each takes as long as its limit.
t.test('requests that do not come to an end', async t => {
  const rigs: [name: string, rig: Rig][] = []
  for (const [name, { settings }] of Object.entries(slow)) rigs.push([name, await startRig(t, () => {}, settings)])
  const before = descriptors()
  await Promise.all(rigs.map(async ([name, rig]) => {
    const { start, drip: byte, answer = 408 } = slow[name]!
    const client = await rawClient(rig.gateway.port, start)
    const began = performance.now()
    const beganClock = clock()
    if (byte !== undefined) drip(client.socket, byte)
    await client.closed
    const took = performance.now() - began
    const received = parseAnswer(client.text())
    t.ok(took > LIMIT - 20 && clock() - beganClock < LIMIT + 1000, `${name}: closed after ${Math.round(took)} ms`)
    isError(t, received, answer)
    t.equal(rig.upstream.sockets.length, 0, 'nothing went upstream')
  }))
  for (const [, rig] of rigs) await backAtRest({ ...rig, descriptors: before })
})

t.test('slow uploads of any size hold no slot: others are served', async t => {
  const rig = await startRig(t, socket => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'), { MAX_CONCURRENT_REQUESTS: '4', MAX_QUEUED_REQUESTS: '1' })
  const start = post('/v1/chat/completions', `{"text":"${'x'.repeat(1_000_000)}`).subarray(0, 500_000)
  const slowClients = await Promise.all(Array.from({ length: 4 }, () => rawClient(rig.gateway.port, start)))
  for (const { socket } of slowClients) drip(socket, 'x')
  await eventually(() => rig.gateway.app.forwarder.underWay === 4)
  t.equal((await send(rig.gateway.port, lastPost('/v1/chat/completions'))).status, 200)
  for (const { socket } of slowClients) socket.destroy()
  await backAtRest(rig)
})

t.test('a body in time, slowly', async t => {
  const rig = await startRig(t, socket => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'), { CLIENT_BODY_TIMEOUT: '2' })
  const bytes = lastPost('/v1/chat/completions', '{"model":"m"}')
  const client = await rawClient(rig.gateway.port)
  for (let at = 0; at < bytes.length; at += 40) {
    client.socket.write(bytes.subarray(at, at + 40))
    await new Promise(resolve => setTimeout(resolve, 60))
  }
  await client.closed
  t.equal(parseAnswer(client.text()).status, 200)
  await backAtRest(rig)
})

t.test('500 connections without a byte are closed, do not keep others out, and are not refused requests', async t => {
  const rig = await startRig(t, socket => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'), HEADERS)
  const began = clock()
  const idle = await openIdle(rig.gateway.port, 500)
  let received = ''
  for (const socket of idle) socket.on('error', () => {}).on('data', chunk => { received += chunk })
  t.equal((await send(rig.gateway.port, lastPost('/v1/chat/completions'))).status, 200)
  await eventually(() => idle.every(socket => socket.closed), 3000)
  t.ok(clock() - began < LIMIT + 1500)
  t.equal(received, '')
  const { text: counted } = await send(rig.gateway.port, 'GET /metrics HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n')
  t.match(counted, /# TYPE gateway_requests_refused_total counter/)
  t.notMatch(counted, 'request_timeout')
  await backAtRest(rig)
})

t.test('the limits do not touch a long answer', async t => {
  const rig = await startRig(t, socket => setTimeout(() => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'), 1500), { ...HEADERS, ...BODY })
  t.equal((await send(rig.gateway.port, lastPost('/v1/chat/completions'))).status, 200)
  await backAtRest(rig)
})
