// A thousand clients that leave at random moments: afterwards there is no socket,
// no descriptor, no slot and no memory more than before. SEED=… tries other moments.
import t from 'tap'
import { connect, type Socket } from 'node:net'
import { collectGarbage } from '../garbage.ts'
import { seededRandom } from '../random.ts'
import { backAtRest, descriptors, eventually, post, startRig, type Rig } from './helper.ts'

const seed = Number(process.env.SEED ?? 1)
const random = seededRandom(seed)
const below = (limit: number) => Math.floor(random() * limit)

const REQUESTS = [
  post('/v1/chat/completions', '{"stream":true}'),
  post('/v1/chat/completions', `{"text":"${'x'.repeat(150_000)}"}`),
  post('/v1/embeddings', `{"model":"m","text":"${'x'.repeat(80_000)}"}`),
  post('/v1/images/edits', `--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n${'x'.repeat(90_000)}\r\n--b--\r\n`, { 'content-type': 'multipart/form-data; boundary=b' }),
  Buffer.from('GET /v1/models HTTP/1.1\r\nhost: g\r\n\r\n')
]

/** Sends all or a part of a request, and leaves some time later. */
function abortOne (port: number): Promise<void> {
  const request = REQUESTS[below(REQUESTS.length)]!
  const part = random() < 0.3 ? request.subarray(0, below(request.length)) : request
  const delay = below(40)
  const leave = [(socket: Socket) => socket.end(), (socket: Socket) => socket.destroy(), (socket: Socket) => socket.resetAndDestroy()][below(3)]!
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => {
      if (part.length > 0) socket.write(part)
      setTimeout(() => {
        leave(socket)
        setTimeout(() => socket.destroy(), 20)
      }, delay)
    })
    socket.on('error', () => {}).on('close', () => resolve())
    if (random() < 0.8) socket.resume()
  })
}

async function abortMany ({ gateway }: Rig, count: number): Promise<void> {
  let left = count
  let lastAccepted = performance.now()
  const onConnection = () => { lastAccepted = performance.now() }
  gateway.app.server.on('connection', onConnection)
  await Promise.all(Array.from({ length: 50 }, async () => { while (left-- > 0) await abortOne(gateway.port) }))
  // libuv accepts one connection a turn of its loop: the kernel still holds some whose clients have left.
  await eventually(() => performance.now() - lastAccepted > 300, 20_000, () => 'connections are still being accepted')
  gateway.app.server.off('connection', onConnection)
}

t.test(`SEED=${seed}`, async t => {
  const rig = await startRig(t, socket => {
    const step = below(4)
    if (step === 0) return
    setTimeout(() => {
      if (socket.destroyed) return
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n')
      const timer = setInterval(() => socket.write('d\r\ndata: hello\n\n\r\n'), 5)
      socket.once('close', () => clearInterval(timer))
      if (step === 2) setTimeout(() => socket.resetAndDestroy(), 15)
      if (step === 3) {
        setTimeout(() => {
          clearInterval(timer)
          socket.write('0\r\n\r\n')
        }, 15)
      }
    }, below(20))
  }, { MAX_CONCURRENT_REQUESTS: '30' })
  await abortMany(rig, 300)
  await backAtRest(rig)
  rig.upstream.received.length = 0
  rig.upstream.sockets.length = 0
  collectGarbage()
  const before = { heap: process.memoryUsage().heapUsed, descriptors: descriptors() }
  await abortMany(rig, 1000)
  await backAtRest(rig)
  t.ok(rig.upstream.hits() > 100, `${rig.upstream.hits()} requests reached the upstream`)
  t.ok(rig.upstream.sockets.filter(socket => !socket.closed).length <= rig.gateway.app.forwarder.connections.open)
  rig.upstream.received.length = 0
  rig.upstream.sockets.length = 0
  await new Promise(resolve => setTimeout(resolve, 100))
  collectGarbage()
  const grown = process.memoryUsage().heapUsed - before.heap
  t.ok(grown < 3_000_000, `the heap grew by ${Math.round(grown / 1000)} kB`)
  t.ok(descriptors() <= before.descriptors + 2 * rig.gateway.app.forwarder.connections.open)
})
