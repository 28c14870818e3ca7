// A client that stops reading: the upstream is held back rather than memory filled,
// and after CLIENT_STALL_TIMEOUT both sides are cut, for the slot and the GPU are
// somebody else's by then. One that reads slowly but steadily is left alone.
import t from 'tap'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { once } from 'node:events'
import { backAtRest, eventually, post, promptly, startRig, type Rig } from './helper.ts'

const LIMIT = 500
const settings = { CLIENT_STALL_TIMEOUT: String(LIMIT / 1000), UPSTREAM_IDLE_TIMEOUT: '30' }

/** Sends for as long as it is taken. */
function flood (head: string, piece: string, total = Infinity, end = '') {
  const state = { sent: 0 }
  return {
    state,
    behave: (socket: Socket) => {
      socket.write(head)
      const more = () => {
        while (!socket.destroyed && state.sent < total) {
          state.sent += piece.length
          if (!socket.write(piece)) return
        }
        socket.off('drain', more)
        socket.write(end)
      }
      socket.on('drain', more)
      more()
    }
  }
}
const CHUNKED = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n'
const CHUNK = `10000\r\n${'x'.repeat(0x10000)}\r\n`

/** A client that has asked, and whose reads are its own affair. */
async function ask (rig: Rig): Promise<Socket> {
  const socket = connect(rig.gateway.port, '127.0.0.1')
  await once(socket, 'connect')
  socket.on('error', () => {})
  socket.pause()
  socket.write(post('/v1/chat/completions', '{}'))
  await eventually(() => rig.upstream.hits() === 1)
  return socket
}

const answers: Record<string, { head: string, piece: string, total?: number, end?: string }> = {
  'an endless answer': { head: CHUNKED, piece: CHUNK },
  'an answer with a length': { head: 'HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n', piece: 'x'.repeat(0x10000) },
  // The upstream is done, and what the reader does not take is all that is left.
  'an answer that the upstream has finished': { head: CHUNKED, piece: CHUNK, total: 12_000_000, end: '0\r\n\r\n' }
}
for (const [name, { head, piece, total, end }] of Object.entries(answers)) {
  t.test(`${name}, and a reader that has stopped`, async t => {
    const { state, behave } = flood(head, piece, total, end)
    const rig = await startRig(t, behave, settings)
    const start = performance.now()
    const client = await ask(rig)
    await eventually(() => rig.gateway.app.forwarder.underWay === 0, 3000)
    const took = performance.now() - start
    t.ok(took > LIMIT - 20 && took < 2 * LIMIT + 1000, `cut after ${Math.round(took)} ms`)
    await promptly(() => rig.upstream.sockets[0]!.closed)
    t.ok(state.sent < 40_000_000, `${state.sent} bytes left the upstream`)
    client.destroy()
    await backAtRest(rig)
  })
}

// The last bytes fit in the stream's buffer, so that nothing has asked the upstream to wait.
const endings: Record<string, (socket: Socket) => void> = {
  ended: socket => socket.write('0\r\n\r\n'),
  broken: socket => socket.resetAndDestroy()
}
for (const [ending, end] of Object.entries(endings)) {
  t.test(`an answer that has ${ending} just as its reader stops`, async t => {
    const rig = await startRig(t, socket => socket.write(CHUNKED), settings)
    const accepted: Socket[] = []
    rig.gateway.app.server.on('connection', socket => accepted.push(socket))
    const client = await ask(rig)
    const upstream = rig.upstream.sockets[0]!
    while (accepted[0]!.writableLength === 0) {
      upstream.write(`4000\r\n${'x'.repeat(0x4000)}\r\n`)
      await new Promise(resolve => setImmediate(resolve))
    }
    end(upstream)
    await eventually(() => rig.gateway.app.forwarder.underWay === 0)
    t.notOk(accepted[0]!.closed, 'what had come is still for the reader to take')
    await eventually(() => accepted[0]!.closed, 3000)
    client.destroy()
    await backAtRest(rig)
  })
}

t.test('a slow but steady reader is not cut', async t => {
  const rig = await startRig(t, flood(CHUNKED, CHUNK, 20_000_000, '0\r\n\r\n').behave, settings)
  const client = await ask(rig)
  let received = 0
  let last = ''
  // About 10 MB a second, in sips: far longer in all than the limit.
  const timer = setInterval(() => {
    const chunk: Buffer | null = client.read(500_000) ?? client.read()
    received += chunk?.length ?? 0
    if (chunk !== null) last = (last + chunk.subarray(-5).toString()).slice(-5)
  }, 50)
  client.once('close', () => clearInterval(timer))
  await eventually(() => last === '0\r\n\r\n', 10_000, () => `${received} bytes received`)
  t.ok(received > 20_000_000)
  clearInterval(timer)
  client.destroy()
  await backAtRest(rig)
})

t.test('a reader that goes on just under the limit', async t => {
  const rig = await startRig(t, flood(CHUNKED, CHUNK, 12_000_000, '0\r\n\r\n').behave, settings)
  const client = await ask(rig)
  await new Promise(resolve => setTimeout(resolve, LIMIT * 0.7))
  let last = ''
  client.on('data', chunk => { last = (last + chunk.subarray(-5).toString()).slice(-5) }).resume()
  await eventually(() => last === '0\r\n\r\n', 5000, () => `${client.bytesRead} bytes read, closed: ${client.closed}, ${last}`)
  client.destroy()
  await backAtRest(rig)
})
