// Asking an inference service for its models, over real sockets: which address,
// with which key, and how every hostile answer ends in bounded time and memory.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net'
import t, { type Test } from 'tap'
import { InferenceModels } from '../../src/catalog/inference.ts'
import { loadConfig } from '../../src/config.ts'

const settings = { UPSTREAM_CONNECT_TIMEOUT: '2', UPSTREAM_FIRST_BYTE_TIMEOUT: '0.3', UPSTREAM_IDLE_TIMEOUT: '0.3' }

async function listen (t: Test, server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { (server as { closeAllConnections?: () => void }).closeAllConnections?.(); server.close() })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** The loader on a service with that handler; `hits` collects its requests. */
async function service (t: Test, handler: (request: IncomingMessage, response: ServerResponse) => void, { path = '', deadline = 2000, key }: { path?: string, deadline?: number, key?: string } = {}) {
  const hits: IncomingMessage[] = []
  const url = await listen(t, createServer((request, response) => { hits.push(request); handler(request, response) }))
  const models = new InferenceModels(loadConfig({ ...settings, INFERENCE_SERVICE_URL: url + path, ...(key !== undefined && { INFERENCE_API_KEY: key }) }), { deadline })
  t.teardown(async () => await models.close())
  return { hits, url, load: async () => await models.load(new AbortController().signal) }
}

const GOOD = JSON.stringify([{ id: 'm' }])

t.test('the address: below the service\'s URL, then below its /v1', async t => {
  for (const [path, answers, asked] of [
    ['', '/models', ['/models']],
    ['', '/v1/models', ['/models', '/v1/models']],
    ['/', '/v1/models', ['/models', '/v1/models']],
    ['/v1', '/v1/models', ['/v1/models']],
    ['/api/v0', '/api/v0/models', ['/api/v0/models']]
  ] as const) {
    const { hits, load } = await service(t, (request, response) => {
      response.statusCode = request.url === answers ? 200 : 404
      response.end(GOOD)
    }, { path })
    t.same(await load(), [{ id: 'm' }])
    t.same(hits.map(({ url }) => url), asked)
  }
})

t.test('the key goes along; without one, nothing does', async t => {
  for (const key of ['secret', undefined]) {
    const { hits, load } = await service(t, (_request, response) => response.end(GOOD), key === undefined ? {} : { key })
    await load()
    t.equal(hits[0]?.headers.authorization, key && `Bearer ${key}`)
    t.equal(hits[0]?.headers['accept-encoding'], undefined)
  }
})

t.test('one connection serves many requests', async t => {
  const { hits, load } = await service(t, (_request, response) => response.end(GOOD))
  for (let i = 0; i < 5; i++) await load()
  t.equal(new Set(hits.map(({ socket }) => socket.remotePort)).size, 1)
})

const drip = (response: ServerResponse, chunk: string, every: number) => {
  const timer = setInterval(() => response.write(chunk), every)
  response.on('close', () => clearInterval(timer))
}
const hostile: Array<[name: string, handler: (request: IncomingMessage, response: ServerResponse) => void, reason: string]> = [
  ['HTML', (_request, response) => response.end('<html>'), 'The answer is not JSON.'],
  ['nothing', (_request, response) => response.end(), 'The answer is not JSON.'],
  ['an empty list', (_request, response) => response.end('{"data":[]}'), 'The answer lists no models.'],
  ['deep nesting', (_request, response) => response.end('['.repeat(1_000_000)), 'The answer is not JSON.'],
  ['50 MB', (_request, response) => response.end(`["${'x'.repeat(50_000_000)}"]`), 'The answer is larger than 5 MiB.'],
  ['an endless answer', (_request, response) => {
    const chunk = ' '.repeat(65536)
    const write = () => { while (!response.destroyed && response.write(chunk)); }
    response.on('drain', write)
    write()
  }, 'The answer is larger than 5 MiB.'],
  ['a slow drip', (_request, response) => drip(response, ' ', 50), 'The inference service did not send its list in time.'],
  ['silence', () => {}, 'The inference service did not answer in time.'],
  ['silence in mid-answer', (_request, response) => { response.write('[') }, 'The inference service fell silent in mid-answer.'],
  ['a broken answer', (_request, response) => { response.write('['); setTimeout(() => response.destroy(), 20) }, 'The inference service closed the connection.'],
  ['a redirect to itself', (request, response) => { response.writeHead(302, { location: request.url }).end() }, 'The inference service answered 302.'],
  ['401', (_request, response) => { response.writeHead(401).end('no') }, 'The inference service answered 401.'],
  ['500 with an endless body', (_request, response) => { response.writeHead(500); drip(response, 'x'.repeat(1000), 10) }, 'The inference service answered 500.'],
  ['404 everywhere', (_request, response) => { response.writeHead(404).end('no') }, 'The inference service answered 404.'],
  ['a compressed answer', (_request, response) => { response.writeHead(200, { 'content-encoding': 'gzip' }).end('x') }, 'The answer is compressed, which was not asked for.']
]
for (const [name, handler, reason] of hostile) {
  t.test(`hostile: ${name}`, async t => {
    const { url, load } = await service(t, handler)
    const start = performance.now()
    await t.rejects(load(), new Error(reason))
    t.ok(performance.now() - start < 5000, 'in bounded time')
    await load().catch(error => t.notMatch(error.message, new URL(url).port, 'and without the address'))
  })
}

t.test('hostile: garbage instead of HTTP; nobody there', async t => {
  const garbage = await listen(t, createTcpServer(socket => { socket.on('error', () => {}).end('SSH-2.0-OpenSSH\r\n') }))
  const models = (url: string) => {
    const models = new InferenceModels(loadConfig({ ...settings, INFERENCE_SERVICE_URL: url }))
    t.teardown(async () => await models.close())
    return models.load(new AbortController().signal)
  }
  await t.rejects(models(garbage), new Error('The inference service does not speak HTTP.'))
  await t.rejects(models('http://127.0.0.1:1'), new Error('The inference service cannot be used (ECONNREFUSED).'))
  await t.rejects(models('http://gateway.invalid'), /^The inference service cannot be used \((ENOTFOUND|EAI_AGAIN)\)\.$/)
})

t.test('whoever stops waiting stops the request', async t => {
  const { hits, url } = await service(t, () => {})
  const models = new InferenceModels(loadConfig({ INFERENCE_SERVICE_URL: url }))
  t.teardown(async () => await models.close())
  const stop = new AbortController()
  const loading = models.load(stop.signal)
  while (hits.length === 0) await new Promise(resolve => setTimeout(resolve, 5))
  const closed = once((hits[0] as IncomingMessage).socket, 'close')
  stop.abort()
  await t.rejects(loading)
  await closed
})
