// Backpressure, seen from outside: in front of a reader that reads nothing, and of
// an upstream that reads nothing, the gateway's own process hardly grows, and
// the side that sends comes to a stand.
import t from 'tap'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { eventually } from './helper.ts'
import { spawnGateway } from '../spawn.ts'

const MB = 1024 * 1024

/** The largest value within a time, milliseconds. */
async function peak (measure: () => number, time: number): Promise<number> {
  let most = 0
  for (const end = performance.now() + time; performance.now() < end;) {
    most = Math.max(most, measure())
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  return most
}

/** Writes for as long as it is taken; returns how much was. */
function flood (socket: Socket, total = Infinity): () => number {
  const piece = Buffer.alloc(0x10000, 'x')
  let sent = 0
  const more = () => {
    while (!socket.destroyed && sent < total) {
      sent += piece.length
      if (!socket.write(piece)) return
    }
  }
  socket.on('drain', more)
  more()
  return () => sent
}

async function open (port: number, head: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(head)
  return socket
}

const HEAD = 'POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\n'

t.test('a gateway of its own process', async t => {
  const total = 95 * MB
  /** MB. V8 may keep up to 64 MB of buffers before it looks which are in use; a body in memory would take 95. */
  const limit = 80
  let sent = () => 0
  let upstreamSocket: Socket | undefined
  const upstream = createServer(socket => {
    upstreamSocket = socket.on('error', () => {})
    sent = () => 0
    socket.once('data', head => {
      if (!head.includes('content-length: 2\r\n')) {
        socket.pause()
        return
      }
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n\r\n')
      sent = flood(socket)
    })
  }).listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  t.teardown(() => { upstream.close() })
  const gateway = await spawnGateway(t, { INFERENCE_SERVICE_URL: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}` })

  await t.test('a client that reads nothing of an endless answer', async t => {
    const before = gateway.resident()
    const client = await open(gateway.port, `${HEAD.replace('chat/completions', 'embeddings')}content-length: 2\r\n\r\n{}`)
    client.pause()
    await eventually(() => sent() > 0)
    const most = await peak(gateway.resident, 1000)
    t.ok(most - before < 32, `grew by ${Math.round(most - before)} MB`)
    const plateau = sent()
    await new Promise(resolve => setTimeout(resolve, 300))
    t.equal(sent(), plateau, `the upstream stands at ${Math.round(plateau / MB)} MB`)
    client.destroy()
    await eventually(() => upstreamSocket!.closed)
  })

  for (const path of ['chat/completions', 'embeddings']) {
    await t.test(`an upload of 95 MB, stored on disk, to an upstream that reads nothing, ${path}`, async t => {
      upstreamSocket = undefined
      const before = gateway.resident()
      const client = await open(gateway.port, `${HEAD.replace('chat/completions', path)}content-length: ${total + 11}\r\n\r\n{"text":"`)
      const written = flood(client, total)
      const most = await peak(gateway.resident, 1000)
      t.ok(most - before < limit, `grew by ${Math.round(most - before)} MB`)
      await eventually(() => written() >= total, 10_000)
      client.write('"}')
      await eventually(() => upstreamSocket?.isPaused() === true)
      // And when the upstream reads again, all of it arrives.
      let received = 0
      const reading = upstreamSocket as unknown as Socket
      reading.on('data', (chunk: Buffer) => { received += chunk.length }).resume()
      await eventually(() => received > total - 0x10000, 10_000, () => `${received} bytes received`)
      t.ok(gateway.resident() - before < limit)
      client.destroy()
      await eventually(() => upstreamSocket!.closed)
    })
  }
})
