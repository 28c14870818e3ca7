// In a company network outgoing connections go through a forward proxy, which the
// environment names (HTTP_PROXY, HTTPS_PROXY) and from which NO_PROXY takes hosts out.
import t from 'tap'
import { once } from 'node:events'
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { makeCertificates, type Identity } from '../faults/certificates.ts'
import { eventually, post as rawPost, rawClient, startGateway, type Teardown, type TestGateway } from '../helper.ts'
import { spawnGateway, spawnScript } from '../spawn.ts'
import { post, startService } from './helper.ts'

const certificates = makeCertificates(t.testdir())

interface ProxyBehaviour {
  /** It is reached by HTTPS. */
  readonly identity?: Identity
  /** Instead of forwarding a request in absolute form. */
  readonly answer?: (response: ServerResponse) => void
  /** Instead of opening a tunnel. */
  readonly onConnect?: (client: Socket) => void
}

/** A forward proxy that notes what it is asked for: CONNECT, and plain requests in absolute form. */
async function startProxy (t: Teardown, { identity, answer, onConnect }: ProxyBehaviour = {}): Promise<{ url: string, asked: string[], tunnels: Set<Socket> }> {
  const asked: string[] = []
  const tunnels = new Set<Socket>()
  const server = identity === undefined ? createServer() : createHttpsServer(identity)
  server.on('request', (received: IncomingMessage, response: ServerResponse) => {
    const { host, pathname, port, hostname } = new URL(received.url!)
    asked.push(host)
    if (answer !== undefined) return answer(response)
    const headers = received.rawHeaders
    const forwarded = request({ host: hostname, port, path: pathname, method: received.method!, headers }, answer => {
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    })
    received.pipe(forwarded)
  })
  server.on('connect', (received: IncomingMessage, client: Socket) => {
    asked.push(received.url!)
    client.on('error', () => {})
    if (onConnect !== undefined) return onConnect(client)
    const [host, port] = received.url!.split(':')
    const upstream = connect(Number(port), host)
    tunnels.add(upstream)
    upstream.on('connect', () => client.write('HTTP/1.1 200 OK\r\n\r\n')).on('error', () => client.destroy()).on('close', () => tunnels.delete(upstream))
    client.on('error', () => upstream.destroy()).on('close', () => upstream.destroy())
    upstream.pipe(client).pipe(upstream)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const tunnel of tunnels) tunnel.destroy()
    server.closeAllConnections()
    server.close()
  })
  return { url: `${identity === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, tunnels }
}

/** A gateway in this process. undici reads the variables of the proxy from the process's environment, at each request. */
async function startBehind (t: Teardown, { HTTP_PROXY, HTTPS_PROXY, NO_PROXY, ...settings }: Record<string, string>): Promise<TestGateway> {
  for (const [name, value] of Object.entries({ HTTP_PROXY, HTTPS_PROXY, NO_PROXY })) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
  return await startGateway(t, settings)
}

/** The status and the error code of a chat. */
async function chat (port: number): Promise<{ status: number, body: any }> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/chat/completions`, post('{}'))
  return { status: response.status, body: await response.json() }
}

t.test('chat through the proxy, and past it where NO_PROXY says so', async t => {
  const service = await startService(t)
  const proxy = await startProxy(t)
  const through = await startBehind(t, { INFERENCE_SERVICE_URL: service.url, HTTP_PROXY: proxy.url })
  for (let i = 0; i < 3; i++) t.equal((await fetch(`http://127.0.0.1:${through.port}/v1/chat/completions`, post('{}'))).status, 200)
  t.ok(proxy.asked.length >= 1 && proxy.asked.every(target => target === `127.0.0.1:${service.port}`), proxy.asked.join())
  const before = proxy.asked.length
  const past = await startBehind(t, { INFERENCE_SERVICE_URL: service.url, HTTP_PROXY: proxy.url, NO_PROXY: '127.0.0.1' })
  t.equal((await fetch(`http://127.0.0.1:${past.port}/v1/chat/completions`, post('{}'))).status, 200)
  t.equal(proxy.asked.length, before)
})

t.test('HTTPS through the proxy is verified, and a client that leaves ends the tunnel', async t => {
  const service = createTlsServer(certificates.good, socket => { socket.on('error', () => {}).on('data', () => {}) }).listen(0, '127.0.0.1')
  await once(service, 'listening')
  t.teardown(() => { service.close() })
  const { port } = service.address() as AddressInfo
  const proxy = await startProxy(t)
  const gateway = await startBehind(t, { INFERENCE_SERVICE_URL: `https://127.0.0.1:${port}`, HTTPS_PROXY: proxy.url, UPSTREAM_CA_FILE: certificates.authority })
  const client = await rawClient(gateway.port, rawPost('/v1/chat/completions', '{}'))
  await eventually(() => proxy.tunnels.size === 1)
  client.socket.destroy()
  await eventually(() => proxy.tunnels.size === 0)
  const unverified = await startBehind(t, { INFERENCE_SERVICE_URL: `https://127.0.0.1:${port}`, HTTPS_PROXY: proxy.url })
  t.equal((await fetch(`http://127.0.0.1:${unverified.port}/v1/chat/completions`, post('{}'))).status, 502)
})

t.test('a proxy that is reached by HTTPS is verified with UPSTREAM_CA_FILE too', async t => {
  const plain = await startService(t)
  const secure = createHttpsServer(certificates.good, (_request, response) => { response.end('{}') }).listen(0, '127.0.0.1')
  await once(secure, 'listening')
  t.teardown(() => {
    secure.closeAllConnections()
    secure.close()
  })
  const proxy = await startProxy(t, { identity: certificates.good })
  for (const INFERENCE_SERVICE_URL of [plain.url, `https://127.0.0.1:${(secure.address() as AddressInfo).port}`]) {
    const settings = { INFERENCE_SERVICE_URL, HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url }
    t.equal((await chat((await startBehind(t, { ...settings, UPSTREAM_CA_FILE: certificates.authority })).port)).status, 200)
    t.equal(proxy.asked.splice(0).length, 1)
    t.equal((await chat((await startBehind(t, settings)).port)).status, 502)
    t.same(proxy.asked, [], 'nothing is asked of a proxy that nobody vouches for')
  }
})

t.test('a proxy that refuses: the service cannot be reached, and the log line has the status of the proxy', async t => {
  let status = 407
  const head = () => `HTTP/1.1 ${status} No\r\nproxy-authenticate: Basic realm="corp"\r\ncontent-length: 4\r\n\r\ncorp`
  const { url: proxy } = await startProxy(t, { answer: response => response.socket!.write(head()), onConnect: client => client.write(head()) })
  const tunnelled = await spawnGateway(t, { INFERENCE_SERVICE_URL: 'https://service.invalid', HTTPS_PROXY: proxy })
  const plain = await spawnGateway(t, { INFERENCE_SERVICE_URL: 'http://service.invalid', HTTP_PROXY: proxy })
  const cases = [[tunnelled, 407], [tunnelled, 403], [tunnelled, 502], [plain, 407]] as const
  for (const [{ port, output }, refusal] of cases) {
    status = refusal
    t.match(await chat(port), { status: 502, body: { error: { code: 'upstream_unreachable', message: 'The inference service cannot be reached.' } } })
    await eventually(() => new RegExp(`"cause":\\{[^}]*"message":"the forward proxy answered ${refusal}"`).test(output()), 2000, output)
  }
})

t.test('a proxy that never answers CONNECT: its connection is closed at the connect limit', async t => {
  let closed = 0
  const { url: proxy } = await startProxy(t, { onConnect: client => { client.once('end', () => { closed++ }).resume() } })
  const { port } = await startBehind(t, { INFERENCE_SERVICE_URL: 'https://service.invalid', HTTPS_PROXY: proxy, UPSTREAM_CONNECT_TIMEOUT: '0.5' })
  t.equal((await chat(port)).status, 502)
  await eventually(() => closed === 1, 5000)
})

t.test('a body without a length that a reset cuts does not look complete', async t => {
  let answered: Socket | undefined
  const { url: proxy } = await startProxy(t, {
    answer: ({ socket }) => {
      socket!.write('HTTP/1.1 200 OK\r\n\r\na part')
      answered = socket!
    }
  })
  const { port } = await startBehind(t, { INFERENCE_SERVICE_URL: 'http://service.invalid', HTTP_PROXY: proxy })
  const client = await rawClient(port, rawPost('/v1/chat/completions', '{}', { connection: 'close' }))
  await client.until(/a part/)
  answered!.resetAndDestroy()
  await client.closed
  t.match(client.text(), /\r\n6\r\na part\r\n$/, 'no last chunk')
})

t.test('the answer to a HEAD is whole without a length', async t => {
  const { url: proxy } = await startProxy(t, { answer: ({ socket }) => { socket!.write('HTTP/1.1 200 OK\r\n\r\n') } })
  const { port } = await startBehind(t, { INFERENCE_SERVICE_URL: 'http://service.invalid', HTTP_PROXY: proxy })
  const client = await rawClient(port)
  // Twice on one connection: the end of a broken answer would close it.
  for (const turn of [1, 2]) {
    client.socket.write('HEAD /v1/responses/r HTTP/1.1\r\nhost: gateway\r\n\r\n')
    await client.until(new RegExp(`(HTTP/1.1 200[^]*){${turn}}\r\n\r\n`))
  }
  client.socket.destroy()
})

t.test('headers that come twice, or have the name of a property, reach the service', async t => {
  const service = await startService(t)
  const proxy = await startProxy(t)
  const { port } = await startBehind(t, { INFERENCE_SERVICE_URL: service.url, HTTP_PROXY: proxy.url })
  const client = await rawClient(port, 'GET /v1/responses/r HTTP/1.1\r\nhost: gateway\r\nx-tag: a\r\nx-tag: b\r\nconstructor: c\r\n__proto__: d\r\nconnection: close\r\n\r\n')
  t.equal(await client.closed, false)
  const { rawHeaders = [] } = service.received[0] ?? {}
  const values = (name: string) => rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1] === name)
  t.same([values('x-tag'), values('constructor'), values('__proto__')], [['a', 'b'], ['c'], ['d']])
})

t.test('a proxy that is not a URL: one clear line, exit code 78', async t => {
  for (const proxy of ['127.0.0.1:3128', 'proxy.example:3128', '::nonsense']) {
    const { ended, output } = spawnScript(t, 'src/server.ts', { HTTP_PROXY: proxy, CATALOG_SOURCE: 'inference', LOG_LEVEL: 'silent' })
    t.equal(await ended, 78)
    t.equal(output().trim(), 'The configuration is not usable:\n  HTTP_PROXY must be a URL such as http://proxy.example:3128')
  }
})
