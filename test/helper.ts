import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { once } from 'node:events'
import type { FastifyInstance } from 'fastify'

/** A test, or anything else with a teardown. */
export type Teardown = { teardown (end: () => unknown): unknown }

export interface TestGateway {
  readonly app: FastifyInstance
  readonly port: number
  readonly url: string
}

/** Starts a gateway on a free port and stops it after the test. Settings are environment variables. */
export async function startGateway (t: Teardown, settings: Record<string, string>): Promise<TestGateway> {
  // Half a second of CPU, which tests that start their gateways as processes do without.
  const { buildApp } = await import('../src/app.ts')
  const { loadConfig } = await import('../src/config.ts')
  const app = await buildApp(loadConfig({ LOG_LEVEL: 'silent', SHUTDOWN_GRACE: '0', ...settings }))
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(async () => {
    const closed = app.close()
    app.server.closeAllConnections()
    await closed
  })
  const { port } = app.server.address() as AddressInfo
  return { app, port, url: `http://127.0.0.1:${port}` }
}

export interface RawUpstream {
  readonly url: string
  readonly port: number
  /** All accepted connections, in order. */
  readonly sockets: Socket[]
  /** The bytes from each connection, by its index in `sockets`. */
  readonly received: Buffer[]
}

const HEAD_START = /(POST|GET|HEAD) \/\S* HTTP\/1\.1\r\n/
const HEAD = new RegExp(`${HEAD_START.source}[^]*?\r\n\r\n`)

/**
 * An upstream that is a bare socket server: `onRequest` is called with the socket
 * for each complete request head.
 */
export async function startRawUpstream (t: Teardown, onRequest: (socket: Socket, hit: number) => void): Promise<RawUpstream & { readonly hits: () => number }> {
  const sockets: Socket[] = []
  const received: Buffer[] = []
  let hits = 0
  const server = createServer(socket => {
    const place = sockets.push(socket) - 1
    const chunks: Buffer[] = []
    // Joined when it is read, because joining at each chunk of a large body takes seconds.
    Object.defineProperty(received, place, { configurable: true, enumerable: true, get: () => Buffer.concat(chunks) })
    let pending = ''
    socket.on('error', () => {})
    socket.on('data', chunk => {
      chunks.push(chunk)
      pending += chunk.toString('latin1')
      for (let head = HEAD.exec(pending); head !== null; head = HEAD.exec(pending)) {
        pending = pending.slice(head.index + head[0].length)
        onRequest(socket, hits++)
      }
      // The rest is a body, or the beginning of a head.
      if (!HEAD_START.test(pending)) pending = pending.slice(-1000)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}`, port, sockets, received, hits: () => hits }
}

export interface RawClient {
  readonly socket: Socket
  /** All bytes received so far, as latin1. */
  readonly text: () => string
  /** Resolves at the connection's end; `true` after an error (a reset). */
  readonly closed: Promise<boolean>
  /** Waits until the answer so far matches. */
  until (pattern: RegExp, timeout?: number): Promise<string>
}

/** A client that is a bare socket. */
export async function rawClient (port: number, head?: string | Buffer): Promise<RawClient> {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  let failed = false
  socket.on('data', chunk => { received += chunk.toString('latin1') })
  socket.on('error', () => { failed = true })
  const closed = new Promise<boolean>(resolve => socket.once('close', () => resolve(failed)))
  await once(socket, 'connect')
  if (head !== undefined) socket.write(head)
  return { socket, text: () => received, closed, until }

  async function until (pattern: RegExp, timeout = 5000): Promise<string> {
    await eventually(() => pattern.test(received), timeout, () => `answer so far: ${JSON.stringify(received.slice(0, 500))}`)
    return received
  }
}

/** A POST as bytes, with its length. */
export function post (path: string, body: string | Buffer, headers: Record<string, string> = {}): Buffer {
  const lines = Object.entries({ host: 'gateway', 'content-type': 'application/json', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${lines}content-length: ${Buffer.byteLength(body)}\r\n\r\n`), Buffer.from(body)])
}

/** Waits for a condition; fails with `detail` after a time. */
export async function eventually (condition: () => boolean, timeout = 2000, detail: () => string = () => condition.toString()): Promise<void> {
  const deadline = performance.now() + timeout
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within ${timeout} ms: ${detail()}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

/** Waits until no request is under way and no slot is held. */
export async function atRest ({ app }: TestGateway): Promise<void> {
  await eventually(() => app.forwarder.underWay === 0 && app.forwarder.inFlight === 0, 2000, () => `under way ${app.forwarder.underWay}, in flight ${app.forwarder.inFlight}`)
}
