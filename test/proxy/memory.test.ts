// A body of any size passes in constant memory: 100 MB go through, and the process
// grows by far less. How much it grows is in the benchmark.
import t from 'tap'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { crc32 } from 'node:zlib'
import { spawnGateway } from '../spawn.ts'

const SIZE = 100 * 1024 * 1024
const BLOCK = Buffer.alloc(1024 * 1024, 'QUJD')
const BLOCKS = SIZE / BLOCK.length
/** MB. V8 may keep up to 64 MB of buffers before it looks which are in use; a body in memory would take 100. */
const LIMIT = 80

interface Arrival { checksum: number, length: number, framing: string, sentEarly: boolean }

t.test('100 MB through a gateway of its own process', { skip: process.platform !== 'linux' && 'RSS is read from /proc' }, async t => {
  const upload = { written: 0 }
  let arrival: Promise<Arrival>
  let arrived: (arrival: Arrival) => void
  const upstream = createServer(async (received, response) => {
    let checksum = 0
    let length = 0
    let sentEarly = false
    for await (const chunk of received) {
      if (length === 0) sentEarly = upload.written < SIZE
      length += chunk.length
      checksum = crc32(chunk, checksum)
    }
    arrived({ checksum, length, framing: received.headers['content-length'] ?? 'chunked', sentEarly })
    response.end('{}')
  }).listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  t.teardown(() => {
    upstream.closeAllConnections()
    upstream.close()
  })
  const { port, resident } = await spawnGateway(t, { BODY_LIMIT: String(2 * SIZE), INFERENCE_SERVICE_URL: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`, DEFAULT_IMAGE_MODEL: 'put-in' })

  async function send (path: string, type: string, head: string, tail: string, blocks: number) {
    arrival = new Promise(resolve => { arrived = resolve })
    upload.written = 0
    const outgoing = request({ port, host: '127.0.0.1', method: 'POST', path, headers: { 'content-type': type, 'content-length': Buffer.byteLength(head) + Buffer.byteLength(tail) + blocks * BLOCK.length } })
    const answered = once(outgoing, 'response')
    outgoing.write(head)
    let peak = 0
    const sampler = setInterval(() => { peak = Math.max(peak, resident()) }, 2)
    for (let block = 0; block < blocks; block++) {
      if (!outgoing.write(BLOCK)) await once(outgoing, 'drain')
      upload.written += BLOCK.length
    }
    outgoing.end(tail)
    // It is sent upstream now.
    const [response] = await answered
    clearInterval(sampler)
    response.resume()
    t.equal(response.statusCode, 200)
    return { peak, ...await arrival }
  }

  const image = 'application/json'
  const part = (name: string, more = '') => `--b\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n`
  const file = part('image', '; filename="a.png"')
  const bodies: Record<string, [path: string, type: string, head: string, tail: string, sentTail: string]> = {
    'JSON, model first': ['/v1/images/generations', image, '{"model":"m","image":"', '"}', '"}'],
    'JSON, model last': ['/v1/images/generations', image, '{"image":"', '","model":"m"}', '","model":"m"}'],
    'JSON, model absent': ['/v1/images/generations', image, '{"image":"', '"}', '","model":"put-in"}'],
    'JSON, not looked at': ['/v1/embeddings', image, '{"input":"', '"}', '"}'],
    'multipart, model first': ['/v1/images/edits', 'multipart/form-data; boundary=b', `${part('model')}m\r\n${file}`, '\r\n--b--\r\n', '\r\n--b--\r\n'],
    'multipart, model absent': ['/v1/images/edits', 'multipart/form-data; boundary=b', file, '\r\n--b--\r\n', `\r\n${part('model')}put-in\r\n--b--\r\n`]
  }
  // Code, buffers and the heap's own slack are there before the first large body.
  for (const [path, type, head, tail] of Object.values(bodies)) await send(path, type, head, tail, 20)

  for (const [name, [path, type, head, tail, sentTail]] of Object.entries(bodies)) {
    t.test(name, async t => {
      const before = resident()
      const { peak, checksum, length, sentEarly, framing } = await send(path, type, head, tail, BLOCKS)
      t.ok(peak - before < LIMIT, `grew by ${Math.round(peak - before)} MB`)
      t.notOk(sentEarly, 'nothing was upstream before the last byte had arrived')
      let expected = crc32(head)
      for (let block = 0; block < BLOCKS; block++) expected = crc32(BLOCK, expected)
      t.equal(checksum, crc32(sentTail, expected))
      t.equal(length, head.length + SIZE + sentTail.length)
      t.equal(framing, String(length), 'it goes upstream with its length')
    })
  }
})
