// Answers that arrive in many pieces reach their own clients whole, and a client that
// pauses holds its upstream back.
import t from 'tap'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { createServer as createTlsServer } from 'node:tls'
import { makeCertificates } from '../faults/certificates.ts'
import { lastPost, parseAnswer } from '../faults/helper.ts'
import { eventually, rawClient, startGateway, startRawUpstream } from '../helper.ts'

/** An answer of which each part is found nowhere else. */
const answerOf = (i: number) => `HTTP/1.1 200 Fine\r\nx-mine: value-${i}-${String(i).repeat(40)}\r\nx-other-${i}: ${i}\r\ntransfer-encoding: chunked\r\n\r\n` +
  `9\r\n<body ${i + 10}>\r\n4\r\n(${i + 10}!\r\n0\r\nx-end: trailer-${i}\r\n\r\n`

t.test('many answers at once, a few bytes at a time', async t => {
  const COUNT = 20
  const sockets: Socket[] = []
  const upstream = await startRawUpstream(t, socket => { sockets.push(socket) })
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: upstream.url })
  const clients = await Promise.all(Array.from({ length: COUNT }, () => rawClient(gateway.port, lastPost('/v1/chat/completions'))))
  await eventually(() => sockets.length === COUNT)
  // In turn, so that each answer's pieces lie between those of the others.
  const texts = sockets.map((_, i) => answerOf(i))
  for (let at = 0; texts.some(text => at < text.length); at += 7) {
    for (const [i, socket] of sockets.entries()) socket.write(texts[i]!.slice(at, at + 7))
    await turn()
    await turn()
  }
  await Promise.all(clients.map(client => client.closed))
  const seen = clients.map(client => {
    const { status, headers, body, complete } = parseAnswer(client.text())
    t.equal(status, 200)
    t.ok(complete, 'whole')
    const i = Number(/^value-(\d+)-/.exec(headers['x-mine']!)![1])
    t.equal(headers['x-mine'], `value-${i}-${String(i).repeat(40)}`)
    t.equal(headers[`x-other-${i}`], String(i))
    t.equal(body, `<body ${i + 10}>(${i + 10}!`)
    t.match(client.text(), `\r\nx-end: trailer-${i}\r\n\r\n`)
    return i
  })
  t.equal(new Set(seen).size, COUNT, 'each answer once')
})

// Chunks of many to a read, and no multiple of what sockets and TLS records hold: pauses come at any place.
const piece = randomBytes(3001)
const block = Buffer.concat(Array.from({ length: 33 }, () => Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')])))
const BLOCKS = 400
const SIZE = BLOCKS * 33 * piece.length
const certificates = makeCertificates(t.testdir())

/** Sends {@link SIZE} bytes in chunks, as fast as they are taken. */
function sendLarge (socket: Socket, state: { blocks: number }): void {
  socket.on('error', () => {})
  socket.once('data', () => {
    socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n')
    const more = () => {
      while (state.blocks < BLOCKS) {
        state.blocks++
        if (!socket.write(block)) return
      }
      socket.off('drain', more)
      socket.write('0\r\n\r\n')
    }
    socket.on('drain', more)
    more()
  })
}

const origins: Record<string, { scheme: string, settings: Record<string, string>, listen: (onSocket: (socket: Socket) => void) => Server }> = {
  'in clear': { scheme: 'http', settings: {}, listen: onSocket => createServer(onSocket) },
  'over TLS': { scheme: 'https', settings: { UPSTREAM_CA_FILE: certificates.authority }, listen: onSocket => createTlsServer(certificates.good, onSocket) }
}
for (const [name, { scheme, settings, listen }] of Object.entries(origins)) {
  t.test(`a large answer ${name}, and a reader that pauses`, async t => {
    const state = { blocks: 0 }
    const server = listen(socket => sendLarge(socket, state)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => { server.close() })
    const gateway = await startGateway(t, { ...settings, INFERENCE_SERVICE_URL: `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}` })
    const client = request(`${gateway.url}/v1/chat/completions`, { method: 'POST', agent: false })
    client.end('{"model":"m"}')
    const [response] = await once(client, 'response') as [IncomingMessage]
    // Until what the sockets hold is full.
    let before = -1
    for (let same = 0; same < 10; same = state.blocks === before ? same + 1 : 0) {
      before = state.blocks
      await sleep(20)
    }
    t.ok(state.blocks < BLOCKS, `held back after ${state.blocks} of ${BLOCKS} blocks`)

    const hash = createHash('sha256')
    let length = 0
    for await (const chunk of response as AsyncIterable<Buffer>) {
      length += chunk.length
      hash.update(chunk)
    }
    t.equal(length, SIZE)
    const expected = createHash('sha256')
    for (let i = 0; i < SIZE; i += piece.length) expected.update(piece)
    t.equal(hash.digest('hex'), expected.digest('hex'), 'the same bytes')
  })
}

t.test('a pause where all was read and the chunk goes on', async t => {
  const part = Buffer.alloc(32000, 'x')
  const PARTS = 250
  const upstream = await startRawUpstream(t, async socket => {
    socket.setNoDelay()
    socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n' + (PARTS * part.length).toString(16) + '\r\n')
    // Each is read before the next, and the one chunk goes on.
    for (let i = 0; i < PARTS && socket.writable; i++) {
      if (!socket.write(part)) await Promise.race([once(socket, 'drain'), once(socket, 'close')])
      await sleep(2)
    }
    socket.write('\r\n0\r\n\r\n')
  })
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: upstream.url })
  const client = await rawClient(gateway.port, lastPost('/v1/chat/completions'))
  client.socket.pause()
  await sleep(600)
  client.socket.resume()
  await client.closed
  const { body, complete } = parseAnswer(client.text())
  t.equal(body.length, PARTS * part.length)
  t.ok(complete, 'whole, and nothing behind it')
})
