// A connection is opened at the end of the turn in which it is asked for, is read
// only as fast as its answer is taken, and then serves the next request.
import t, { type Test } from 'tap'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { createServer as createTlsServer } from 'node:tls'
import { Connections } from '../../src/proxy/connections.ts'
import type { ResponseHead } from '../../src/proxy/response-head.ts'
import type { UpstreamConnection, UpstreamListener } from '../../src/proxy/upstream-connection.ts'
import { makeCertificates } from '../faults/certificates.ts'

const certificates = makeCertificates(t.testdir())

const servers: Record<string, (onSocket: (socket: Socket) => void) => Server> = {
  http: onSocket => createServer(onSocket),
  https: onSocket => createTlsServer(certificates.good, onSocket)
}

async function connectionsTo (t: Test, server: Server, scheme = 'http', host = '127.0.0.1'): Promise<Connections> {
  server.listen(0, host.replace(/[[\]]/g, ''))
  await once(server, 'listening')
  const connections = new Connections({
    origin: `${scheme}://${host}:${(server.address() as AddressInfo).port}`,
    ca: [readFileSync(certificates.authority, 'utf8')]
  })
  t.teardown(() => {
    connections.destroy()
    server.close()
  })
  return connections
}

const QUIET: UpstreamListener = { onConnect () {}, onBodySent () {}, onRequestSent () {}, onHead: () => true, onBody: () => true, onEnd () {}, onError () {} }

function send (connection: UpstreamConnection, listener: Partial<UpstreamListener>): void {
  connection.send({ method: 'GET', path: '/', headers: [], body: null, length: undefined }, { ...QUIET, ...listener })
}

t.test('a connection that is given up in its first turn is never opened', async t => {
  let accepted = 0
  const asked = Promise.withResolvers<unknown>()
  const connections = await connectionsTo(t, createServer(socket => {
    accepted++
    socket.on('error', () => {})
    socket.once('data', asked.resolve)
  }))
  const heard: string[] = []
  const listener = { onConnect: () => { heard.push('connect') }, onError: () => { heard.push('error') } }
  const given = connections.acquire()
  send(given, listener)
  connections.discard(given)
  send(connections.acquire(), listener)
  await asked.promise
  t.equal(accepted, 1, 'only the one that was kept')
  t.equal(connections.size, 1)
  t.same(heard, ['connect'], 'nothing of the one that was given up')
})

const noIPv6 = Object.values(networkInterfaces()).flat().some(address => address?.address === '::1') || process.env.CI ? false : 'no IPv6 on this machine'
for (const [scheme, listen] of Object.entries(servers)) {
  t.test(`${scheme}, an origin that is an IPv6 address`, { skip: noIPv6 }, async t => {
    const connections = await connectionsTo(t, listen(socket => {
      socket.once('data', data => { socket.end(`HTTP/1.1 200 OK\r\nx-host: ${/^host: (.*)$/m.exec(data.toString())![1]}\r\n\r\n`) })
    }), scheme, '[::1]')
    const head = await new Promise<ResponseHead>((resolve, reject) => {
      send(connections.acquire(), { onHead: head => { resolve(head); return true }, onError: reject })
    })
    t.match(head.headers, ['x-host', /^\[::1\]:\d+$/])
  })
}

for (const [name, length] of Object.entries({ shorter: 12, longer: 10 })) {
  t.test(`a body that is ${name} than it was said to be ends its connection`, async t => {
    const connections = await connectionsTo(t, createServer(socket => {
      socket.on('error', () => {})
      socket.on('data', () => { socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n') })
    }))
    const connection = connections.acquire()
    const error = await new Promise<Error>((resolve, reject) => {
      connection.send({ method: 'POST', path: '/', headers: [], body: Readable.from([Buffer.from('eleven '), Buffer.from('byte')]), length }, { ...QUIET, onEnd: reject, onError: resolve })
    })
    t.match(error.message, `the body has 11 bytes, not ${length}`)
    t.notOk(connection.reusable)
  })
}

/** The body of an answer that is paused at each piece. */
async function fetchSlowly (connections: Connections): Promise<Buffer> {
  const connection = connections.acquire()
  const pieces: Buffer[] = []
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  let ended = false
  send(connection, {
    onBody (bytes, start, end) {
      pieces.push(Buffer.from(bytes.subarray(start, end)))
      // More may arrive meanwhile; it has to wait.
      turn().then(turn).then(() => { if (!ended) connection.resume() })
      return false
    },
    onEnd () {
      ended = true
      connections.release(connection)
      resolve(Buffer.concat(pieces))
    },
    onError: reject
  })
  return await promise
}

const BODY = Buffer.alloc(150_000, 'what the upstream says, ')
const piece = (size: number) => (at: number) => BODY.subarray(at, at + size)
const chunk = (bytes: Buffer) => Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
const inPieces = (size: number) => Array.from({ length: Math.ceil(BODY.length / size) }, (_, i) => piece(size)(i * size))
const bodies: Record<string, Buffer> = {
  'with a length': Buffer.concat([Buffer.from(`content-length: ${BODY.length}\r\n\r\n`), BODY]),
  'in small chunks': Buffer.concat([Buffer.from('transfer-encoding: chunked\r\n\r\n'), ...inPieces(5000).map(chunk), Buffer.from('0\r\n\r\n')]),
  'in large chunks': Buffer.concat([Buffer.from('transfer-encoding: chunked\r\n\r\n'), ...inPieces(100_000).map(chunk), Buffer.from('0\r\n\r\n')])
}
for (const [scheme, listen] of Object.entries(servers)) {
  for (const [name, body] of Object.entries(bodies)) {
    t.test(`${scheme}, an answer ${name}, paused at each piece; then the next on the same connection`, async t => {
      let accepted = 0
      const connections = await connectionsTo(t, listen(socket => {
        accepted++
        socket.on('error', () => {})
        socket.on('data', () => { socket.write(Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\n'), body])) })
      }), scheme)
      for (let i = 0; i < 3; i++) t.ok((await fetchSlowly(connections)).equals(BODY), 'the same bytes')
      t.equal(accepted, 1)
    })
  }

  t.test(`${scheme}, an answer that ends with its connection, paused at each piece`, async t => {
    const connections = await connectionsTo(t, listen(socket => {
      socket.on('error', () => {})
      socket.on('data', () => { socket.end(Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), BODY])) })
    }), scheme)
    t.ok((await fetchSlowly(connections)).equals(BODY), 'the same bytes')
    t.equal(connections.size, 0)
  })
}
