// A body over BODY_LIMIT is refused, told by its length or found out as it comes,
// and the refusal reaches a client that is still sending: closing with unread
// bytes would reset the connection, and the reset can overtake the answer.
import t from 'tap'
import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import type { Socket } from 'node:net'
import { backAtRest, descriptors, eventually, isError, lastPost, parseAnswer, post, rawClient, send, startRig, type Rig } from './helper.ts'

const LIMIT = 1_000_000
const settings = { BODY_LIMIT: String(LIMIT), PROXY_EXTRA_PATHS: 'raw' }

/** Writes for as long as the other side takes it, as a client does that does not look at the answer before it is done. */
async function flood (socket: Socket, piece: Buffer, pieces: number): Promise<void> {
  for (let i = 0; i < pieces && !socket.destroyed && socket.writable; i++) {
    if (!socket.write(piece)) await new Promise(resolve => { socket.once('drain', resolve).once('close', resolve) })
  }
}

const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(0x10000, 'x'), Buffer.from('\r\n')])
const head = (path: string, framing: string, type = 'application/json') => `POST ${path} HTTP/1.1\r\nhost: g\r\ncontent-type: ${type}\r\n${framing}\r\n\r\n`
const MULTIPART = 'multipart/form-data; boundary=b'
const PART = '--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'

const over: Record<string, { start: string, piece: Buffer }> = {
  'by its length': { start: head('/v1/chat/completions', `content-length: ${20 * LIMIT}`) + '{"text":"', piece: Buffer.alloc(0x10000, 'x') },
  'by its length, one byte over': { start: head('/v1/chat/completions', `content-length: ${LIMIT + 1}`) + '{"text":"', piece: Buffer.alloc(LIMIT / 10, 'x') },
  'by its chunks': { start: head('/v1/chat/completions', 'transfer-encoding: chunked') + '9\r\n{"text":"\r\n', piece: chunk },
  'by its chunks, passed through': { start: head('/v1/raw', 'transfer-encoding: chunked'), piece: chunk },
  'multipart, by its length': { start: head('/v1/images/edits', `content-length: ${20 * LIMIT}`, MULTIPART) + PART, piece: Buffer.alloc(0x10000, 'x') },
  'multipart, by its chunks': { start: head('/v1/images/edits', 'transfer-encoding: chunked', MULTIPART) + `${PART.length.toString(16)}\r\n${PART}\r\n`, piece: chunk },
  'by a length past all numbers': { start: head('/v1/chat/completions', 'content-length: 9007199254740993') + '{"text":"', piece: Buffer.alloc(0x10000, 'x') }
}
// All at once: each takes as long as the gateway reads on.
t.test('refused while it is being sent', async t => {
  const rigs: [name: string, rig: Rig][] = []
  for (const name of Object.keys(over)) rigs.push([name, await startRig(t, () => {}, settings)])
  const before = descriptors()
  await Promise.all(rigs.map(async ([name, rig]) => {
    const { start, piece } = over[name]!
    const client = await rawClient(rig.gateway.port, start)
    const flooding = flood(client.socket, piece, 10 * LIMIT / 0x10000)
    await client.until(/\}\}$/)
    t.comment(name)
    isError(t, parseAnswer(client.text()), 413, 'body_too_large')
    t.equal(parseAnswer(client.text()).headers.connection, 'close')
    t.equal(rig.gateway.app.forwarder.underWay, 0, 'nothing is under way while the rest is read')
    t.equal(rig.upstream.sockets.length, 0, 'nothing went upstream')
    await eventually(() => rig.gateway.app.forwarder.space.files === 0)
    await Promise.all([client.closed, flooding])
  }))
  for (const [, rig] of rigs) await backAtRest({ ...rig, descriptors: before })
})

t.test('a compressed body over the limit, as sent: a client that is still sending can read the 413', async t => {
  const rig = await startRig(t, () => {}, settings)
  const body = gzipSync(`{"text":"${randomBytes(10 * LIMIT).toString('hex')}"}`)
  const framed = Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n')])
  const client = await rawClient(rig.gateway.port, head('/v1/chat/completions', 'transfer-encoding: chunked\r\ncontent-encoding: gzip'))
  for (let at = 0; at < framed.length; at += 0x10000) await flood(client.socket, framed.subarray(at, at + 0x10000), 1)
  await client.until(/\}\}$/)
  isError(t, parseAnswer(client.text()), 413, 'body_too_large')
  await client.closed
  await backAtRest(rig)
})

t.test('a client that looks at the answer only when it has sent all', async t => {
  const rig = await startRig(t, () => {}, settings)
  const client = await rawClient(rig.gateway.port, over['by its length']!.start)
  client.socket.pause()
  await flood(client.socket, over['by its length']!.piece, 10 * LIMIT / 0x10000)
  client.socket.resume()
  await client.until(/\}\}$/)
  isError(t, parseAnswer(client.text()), 413)
  await client.closed
  await backAtRest(rig)
})

t.test('a client that stops sending gets the answer and the end', async t => {
  const rig = await startRig(t, () => {}, settings)
  const start = performance.now()
  const answer = await send(rig.gateway.port, over['by its length']!.start)
  isError(t, answer, 413)
  t.ok(performance.now() - start < 2000)
  await backAtRest(rig)
})

t.test('a compressed body counts as it is inflated', async t => {
  const rig = await startRig(t, () => {}, settings)
  const bomb = gzipSync(`{"text":"${' '.repeat(50 * LIMIT)}"}`)
  isError(t, await send(rig.gateway.port, lastPost('/v1/chat/completions', bomb, { 'content-encoding': 'gzip' })), 413)
  t.equal(rig.upstream.sockets.length, 0)
  await backAtRest(rig)
})

t.test('a compressed body counts as it comes, too: empty blocks inflate to nothing, without end', async t => {
  const rig = await startRig(t, () => {}, settings)
  const emptyBlocks = Buffer.alloc(2 * LIMIT).map((_, i) => [0, 0, 0, 255, 255][i % 5]!)
  const body = Buffer.concat([gzipSync('').subarray(0, 10), emptyBlocks])
  const chunked = `POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nconnection: close\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`
  isError(t, await send(rig.gateway.port, Buffer.concat([Buffer.from(chunked), body, Buffer.from('\r\n')])), 413, 'body_too_large')
  await backAtRest(rig)
})

t.test('exactly the limit passes', async t => {
  const rig = await startRig(t, socket => {
    const timer = setInterval(() => {
      if (rig.upstream.received[0]!.length < LIMIT) return
      clearInterval(timer)
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
    }, 5)
  }, settings)
  const frame = '{"model":"m","text":""}'
  const body = frame.replace('""', `"${'x'.repeat(LIMIT - frame.length)}"`)
  t.equal(body.length, LIMIT)
  t.match(await send(rig.gateway.port, Buffer.concat([post('/v1/chat/completions', body, { connection: 'close' })])), { status: 200, body: 'ok' })
  await backAtRest(rig)
})
