// A large body reaches the upstream byte for byte, however unevenly the two
// sides read and write: the gateway frees each piece's memory by hand, and a
// piece freed too early would arrive as other bytes.
import t from 'tap'
import { createHash, randomBytes } from 'node:crypto'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { once } from 'node:events'
import { post, rawClient, startGateway, startRawUpstream } from '../helper.ts'

const sha = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const pause = (milliseconds: number) => new Promise(resolve => setTimeout(resolve, milliseconds))

/** An upstream that reads in fits and starts, and answers with the hash and length of the body. */
async function startFitfulUpstream (t: { teardown (end: () => unknown): unknown }): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    let head = ''
    let body: Buffer[] = []
    let chunked = false
    let reads = 0
    socket.on('error', () => {})
    socket.on('data', chunk => {
      if (++reads % 7 === 0) {
        socket.pause()
        setTimeout(() => socket.resume(), reads % 3 === 0 ? 30 : 1)
      }
      if (head === '') {
        const end = chunk.indexOf('\r\n\r\n')
        head = chunk.toString('latin1', 0, end)
        chunked = /transfer-encoding: *chunked/i.test(head)
        chunk = chunk.subarray(end + 4)
      }
      body.push(chunk)
      const whole = Buffer.concat(body)
      const done = chunked ? whole.subarray(-5).toString('latin1') === '0\r\n\r\n' : whole.length >= Number(/content-length: *(\d+)/i.exec(head)![1])
      if (!done) return
      const received = chunked ? dechunk(whole) : whole
      const answer = JSON.stringify({ sha: sha(received), length: received.length })
      head = ''
      body = []
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${answer.length}\r\n\r\n${answer}`)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function dechunk (bytes: Buffer): Buffer {
  const out: Buffer[] = []
  for (let at = 0; ;) {
    const end = bytes.indexOf('\r\n', at)
    const size = parseInt(bytes.toString('latin1', at, end), 16)
    if (size === 0) return Buffer.concat(out)
    out.push(bytes.subarray(end + 2, end + 2 + size))
    at = end + 2 + size + 2
  }
}

const filling = randomBytes(2_250_000).toString('base64')
const picture = randomBytes(3_000_000)
const multipart = (fields: string) => Buffer.concat([Buffer.from(`${fields}--b\r\ncontent-disposition: form-data; name="image"; filename="a"\r\n\r\n`), picture, Buffer.from('\r\n--b--\r\n')])
const modelField = '--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nm\r\n'

const json = Buffer.from(`{"model":"m","text":"${filling}"}`)
const BODIES: Record<string, { path: string, type: string, sent: Buffer, expected: Buffer, encoding?: string }> = {
  'JSON, model named': { path: 'chat/completions', type: 'application/json', sent: json, expected: json },
  'JSON, model put in': { path: 'chat/completions', type: 'application/json', sent: Buffer.from(`{"text":"${filling}"}`), expected: Buffer.from(`{"text":"${filling}","model":"put-in"}`) },
  'JSON, compressed': { path: 'chat/completions', type: 'application/json', sent: gzipSync(json), expected: json, encoding: 'gzip' },
  'JSON, unscanned': { path: 'embeddings', type: 'application/json', sent: json, expected: json },
  'multipart, model named': { path: 'images/edits', type: 'multipart/form-data; boundary=b', sent: multipart(modelField), expected: multipart(modelField) }
}

for (const [name, { path, type, sent, expected, encoding }] of Object.entries(BODIES)) {
  t.test(name, async t => {
    const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: await startFitfulUpstream(t), DEFAULT_CHAT_MODEL: 'put-in' })
    const client = await rawClient(gateway.port)
    const head = `POST /v1/${path} HTTP/1.1\r\nhost: g\r\ncontent-type: ${type}\r\n${encoding === undefined ? '' : `content-encoding: ${encoding}\r\n`}content-length: ${sent.length}\r\n\r\n`
    // Two on one connection: the second meets whatever the first has left behind.
    for (let time = 1; time <= 2; time++) {
      client.socket.write(head)
      for (let at = 0, n = 0; at < sent.length; n++) {
        const size = [65536, 1000, 200_000, 16384][n % 4]!
        if (!client.socket.write(sent.subarray(at, at + size))) await once(client.socket, 'drain')
        if (n % 5 === 0) await pause(1)
        at += size
      }
      const answer = JSON.stringify({ sha: sha(expected), length: expected.length })
      await client.until(new RegExp(`(${answer.replace(/[{}]/g, '\\$&')}[^]*){${time}}`), 20_000)
    }
    t.pass('both arrived byte for byte')
    client.socket.destroy()
  })
}

t.test('a malformed Content-Type is a 415, and any well-formed one that is not multipart is read as JSON', async t => {
  const upstream = await startRawUpstream(t, socket => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'))
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: upstream.url, DEFAULT_CHAT_MODEL: 'added' })
  for (const [type, answer] of [['json', /^HTTP\/1.1 415 [^]*unsupported_media_type/], [';', /^HTTP\/1.1 415 /], ['text/plain', /^HTTP\/1.1 200 [^]*ok$/], ['application/x-www-form-urlencoded', /^HTTP\/1.1 200 [^]*ok$/]] as const) {
    const client = await rawClient(gateway.port, post('/v1/chat/completions', '{}', { 'content-type': type }))
    await client.until(answer)
    client.socket.destroy()
  }
  const received = Buffer.concat(upstream.received).toString('latin1')
  t.match(received, '\r\ncontent-type: text/plain\r\n')
  t.equal(received.split('{"model":"added"}').length - 1, 2)
})
