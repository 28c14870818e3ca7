// In a company network outgoing connections go through a forward proxy, which the
// environment names (HTTP_PROXY, HTTPS_PROXY) and from which NO_PROXY takes hosts out.
import t from 'tap'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { makeCertificates } from '../faults/certificates.ts'
import { eventually, post as rawPost, rawClient, type Teardown } from '../helper.ts'
import { spawnGateway, spawnScript } from '../spawn.ts'
import { post, startService } from './helper.ts'

/** A forward proxy that notes what it is asked for: CONNECT, and plain requests in absolute form. */
async function startProxy (t: Teardown): Promise<{ url: string, asked: string[], tunnels: Set<Socket> }> {
  const asked: string[] = []
  const tunnels = new Set<Socket>()
  const server = createServer((received, response) => {
    const { host, pathname, port, hostname } = new URL(received.url!)
    asked.push(host)
    const forwarded = request({ host: hostname, port, path: pathname, method: received.method!, headers: received.headers }, answer => {
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    })
    received.pipe(forwarded)
  })
  server.on('connect', (received, client: Socket) => {
    asked.push(received.url!)
    const [host, port] = received.url!.split(':')
    const upstream = connect(Number(port), host)
    tunnels.add(upstream)
    upstream.on('connect', () => client.write('HTTP/1.1 200 OK\r\n\r\n')).on('error', () => client.destroy()).on('close', () => tunnels.delete(upstream))
    client.on('error', () => upstream.destroy()).on('close', () => upstream.destroy())
    upstream.pipe(client).pipe(upstream)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const tunnel of tunnels) tunnel.destroy()
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, tunnels }
}

t.test('chat through the proxy, and past it where NO_PROXY says so', async t => {
  const service = await startService(t)
  const proxy = await startProxy(t)
  const through = await spawnGateway(t, { INFERENCE_SERVICE_URL: service.url, HTTP_PROXY: proxy.url })
  for (let i = 0; i < 3; i++) t.equal((await fetch(`http://127.0.0.1:${through.port}/v1/chat/completions`, post('{}'))).status, 200)
  t.ok(proxy.asked.length >= 1 && proxy.asked.every(target => target === `127.0.0.1:${service.port}`), proxy.asked.join())
  const before = proxy.asked.length
  const past = await spawnGateway(t, { INFERENCE_SERVICE_URL: service.url, HTTP_PROXY: proxy.url, NO_PROXY: '127.0.0.1' })
  t.equal((await fetch(`http://127.0.0.1:${past.port}/v1/chat/completions`, post('{}'))).status, 200)
  t.equal(proxy.asked.length, before)
})

t.test('HTTPS through the proxy is verified, and a client that leaves ends the tunnel', async t => {
  const certificates = makeCertificates(t.testdir())
  const service = createTlsServer(certificates.good, socket => { socket.on('error', () => {}).on('data', () => {}) }).listen(0, '127.0.0.1')
  await once(service, 'listening')
  t.teardown(() => { service.close() })
  const { port } = service.address() as AddressInfo
  const proxy = await startProxy(t)
  const gateway = await spawnGateway(t, { INFERENCE_SERVICE_URL: `https://127.0.0.1:${port}`, HTTPS_PROXY: proxy.url, UPSTREAM_CA_FILE: certificates.authority })
  const client = await rawClient(gateway.port, rawPost('/v1/chat/completions', '{}'))
  await eventually(() => proxy.tunnels.size === 1)
  client.socket.destroy()
  await eventually(() => proxy.tunnels.size === 0)
  const unverified = await spawnGateway(t, { INFERENCE_SERVICE_URL: `https://127.0.0.1:${port}`, HTTPS_PROXY: proxy.url })
  t.equal((await fetch(`http://127.0.0.1:${unverified.port}/v1/chat/completions`, post('{}'))).status, 502)
})

t.test('a proxy that is not a URL: one clear line, exit code 78', async t => {
  for (const proxy of ['127.0.0.1:3128', 'proxy.example:3128', '::nonsense']) {
    const { ended, output } = spawnScript(t, 'src/server.ts', { HTTP_PROXY: proxy, CATALOG_SOURCE: 'inference', LOG_LEVEL: 'silent' })
    t.equal(await ended, 78)
    t.equal(output().trim(), 'The configuration is not usable:\n  HTTP_PROXY must be a URL such as http://proxy.example:3128')
  }
})
