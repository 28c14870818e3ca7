// The Node peers of the bench, each as one who knows the library would write it.
//
//   bare     node:http and undici's dispatch: as little as Node can do
//   stock    Fastify with @fastify/http-proxy, by its documentation
//   replay   node:http that answers with given bytes: the catalog's yardstick
//   plugins  Fastify with the gateway's plugins registered, and nothing else
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Agent, Dispatcher } from 'undici'

interface Replayed { headers: string[], body: string, tag: string }
const { peer, port, upstream, replayed } = JSON.parse(process.argv[2]!) as { peer: string, port: number, upstream: string, replayed: Replayed }
process.stdin.on('end', () => process.exit()).resume()
const host = '127.0.0.1'

const PEERS: Record<string, () => unknown> = {
  async bare () {
    const { Agent } = await import('undici')
    const agent = new Agent({ connections: null, headersTimeout: 0, bodyTimeout: 0 })
    const server = createServer((request, response) => {
      const relay = new Relay(agent, request, response)
      const length = Number(request.headers['content-length'])
      // A small body costs less held and sent in one piece than piped.
      if (length <= 65536) collect(request, length, body => relay.send(body))
      else relay.send(request)
    })
    server.requestTimeout = 0
    server.listen({ port, host, backlog: 4096 })
  },

  async stock () {
    const { default: Fastify } = await import('fastify')
    const { default: httpProxy } = await import('@fastify/http-proxy')
    const app = Fastify({ logger: true, bodyLimit: 1 << 30 })
    await app.register(httpProxy, { upstream, prefix: '/v1', rewritePrefix: '/v1' })
    await app.listen({ port, host, backlog: 4096 })
  },

  replay () {
    const { headers, body, tag } = replayed
    const bytes = Buffer.from(body)
    const notModified = headers.filter((_, i) => !/^content-(length|type)$/i.test(headers[i - i % 2]!))
    createServer((request, response) => {
      if (request.headers['if-none-match'] === tag) response.writeHead(304, notModified).end()
      else response.writeHead(200, headers).end(bytes)
    }).listen(port, host)
  },

  async plugins () {
    const { default: Fastify } = await import('fastify')
    const load = async (name: string) => (await import(name)).default
    const app = Fastify({ logger: true })
    await app.register(await load('@fastify/helmet'))
    await app.register(await load('@fastify/cors'))
    await app.register(await load('@fastify/rate-limit'))
    await app.register(await load('@fastify/caching'))
    await app.register(await load('@fastify/swagger'))
    await app.register(await load('@fastify/swagger-ui'), { routePrefix: '/docs' })
    await app.register(await load('@fastify/http-proxy'), { upstream, prefix: '/v1' })
    await load('@sinclair/typebox')
    await app.listen({ port, host })
  }
}

function collect (request: IncomingMessage, length: number, done: (body: Buffer) => void): void {
  const chunks: Buffer[] = []
  request.on('data', chunk => chunks.push(chunk))
  request.on('end', () => done(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length)))
}

const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'host'])

/** One request as a dispatch handler: no streams of ours between the two sockets. */
class Relay implements Dispatcher.DispatchHandler {
  readonly #agent: Agent
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  #controller: Dispatcher.DispatchController | undefined

  constructor (agent: Agent, request: IncomingMessage, response: ServerResponse) {
    this.#agent = agent
    this.#request = request
    this.#response = response
    response.on('drain', () => this.#controller?.resume())
    response.on('close', () => { if (!response.writableFinished) this.#controller?.abort(new Error('the client left')) })
  }

  send (body: Buffer | IncomingMessage): void {
    const { method, url, rawHeaders } = this.#request
    const headers: string[] = []
    for (let i = 0; i < rawHeaders.length; i += 2) {
      if (!HOP_BY_HOP.has(rawHeaders[i]!.toLowerCase())) headers.push(rawHeaders[i]!, rawHeaders[i + 1]!)
    }
    this.#agent.dispatch({ origin: upstream, path: url!, method: method as 'POST', headers, body }, this)
  }

  // ---- called by undici

  onRequestStart (controller: Dispatcher.DispatchController): void { this.#controller = controller }

  onResponseStart (controller: Dispatcher.DispatchController, status: number, _headers: unknown, statusMessage = ''): void {
    const raw = controller.rawHeaders as Buffer[]
    const headers: string[] = []
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i]!.toString('latin1')
      if (!HOP_BY_HOP.has(name.toLowerCase())) headers.push(name, raw[i + 1]!.toString('latin1'))
    }
    this.#response.writeHead(status, statusMessage, headers)
  }

  onResponseData (controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#response.write(chunk)) controller.pause()
  }

  onResponseEnd (): void { this.#response.end() }

  onResponseError (): void {
    if (this.#response.headersSent) this.#response.destroy()
    else this.#response.writeHead(502).end()
  }
}

await PEERS[peer]!()
