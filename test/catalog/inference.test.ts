// Asking an inference service for its models, over real sockets: with which key,
// and how every hostile answer ends, without waiting for it or reading all of it.
import { once } from 'node:events'
import { createServer as createTcpServer } from 'node:net'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import t from 'tap'
import { InferenceModels } from '../../src/catalog/inference.ts'
import { loadConfig } from '../../src/config.ts'
import { listen, service, settings, type Handler } from './service.ts'

const GOOD = JSON.stringify([{ id: 'm' }])

t.test('the key goes along; without one, nothing does', async t => {
  for (const key of ['secret', undefined]) {
    const { hits, load } = await service(t, (_request, response) => response.end(GOOD), key === undefined ? {} : { key })
    await load()
    t.equal(hits[0]?.headers.authorization, key && `Bearer ${key}`)
    t.equal(hits[0]?.headers['accept-encoding'], 'gzip, br, zstd')
  }
})

t.test('one connection serves many requests', async t => {
  const { hits, load } = await service(t, (_request, response) => response.end(GOOD))
  for (let i = 0; i < 5; i++) await load()
  t.equal(new Set(hits.map(({ socket }) => socket.remotePort)).size, 1)
})

t.test('a list may be compressed, and begin with a byte order mark', async t => {
  const coded = { gzip: gzipSync(GOOD), 'x-gzip': gzipSync(GOOD), br: brotliCompressSync(GOOD), zstd: zstdCompressSync(GOOD), deflate: deflateSync(GOOD), GZIP: gzipSync(GOOD), identity: Buffer.from(`\ufeff${GOOD}`) }
  for (const [coding, body] of Object.entries(coded)) {
    const { load } = await service(t, (_request, response) => response.writeHead(200, { 'content-encoding': coding }).end(body))
    t.same((await load()).models, [{ id: 'm' }], coding)
  }
})

const drip = (response: { write: (chunk: string) => unknown, on: (event: 'close', then: () => void) => unknown }, chunk: string, every: number) => {
  const timer = setInterval(() => response.write(chunk), every)
  response.on('close', () => clearInterval(timer))
}
const compressed = (coding: string, body: Buffer): Handler => (_request, response) => response.writeHead(200, { 'content-encoding': coding }).end(body)
const BOMB = Buffer.alloc(17_000_000, ' ')
const hostile: Array<[name: string, handler: Handler, reason: string]> = [
  ['HTML', (_request, response) => response.end('<html>'), 'answers with a page of HTML or XML'],
  ['nothing', (_request, response) => response.end(), 'answers with what is not JSON'],
  ['an empty list', (_request, response) => response.end('{"data":[]}'), 'lists no models'],
  ['deep nesting', (_request, response) => response.end('['.repeat(200_000)), 'answers with what is not JSON'],
  ['17 MB', (_request, response) => response.end(BOMB), 'answers with more than 16 MiB'],
  ['an endless answer', (_request, response) => {
    const chunk = ' '.repeat(65536)
    const write = () => { while (!response.destroyed && response.write(chunk)); }
    response.on('drain', write)
    write()
  }, 'answers with more than 16 MiB'],
  ['17 MB as 17 KB of gzip', compressed('gzip', gzipSync(BOMB)), 'answers with more than 16 MiB'],
  ['17 MB as a few bytes of brotli', compressed('br', brotliCompressSync(BOMB)), 'answers with more than 16 MiB'],
  ['17 MB as zstd', compressed('zstd', zstdCompressSync(BOMB)), 'answers with more than 16 MiB'],
  ['a coding that is not meant', compressed('gzip', Buffer.from(GOOD)), 'answers with a compressed body that cannot be decoded'],
  ['half of a gzip', compressed('gzip', gzipSync(GOOD).subarray(0, 15)), 'answers with a compressed body that cannot be decoded'],
  ['half of a zstd', compressed('zstd', zstdCompressSync(GOOD).subarray(0, 12)), 'answers with a compressed body that cannot be decoded'],
  ['garbage as brotli', compressed('br', Buffer.from(GOOD)), 'answers with a compressed body that cannot be decoded'],
  ['a coding that nobody knows', compressed('rot13', Buffer.from(GOOD)), 'answers in a content coding that is not supported'],
  ['a slow drip', (_request, response) => drip(response, ' ', 50), 'does not send its list in time'],
  ['silence', () => {}, 'does not answer in time'],
  ['silence in mid-answer', (_request, response) => { response.write('[') }, 'falls silent in mid-answer'],
  ['a broken answer', (_request, response) => { response.write('['); setTimeout(() => response.destroy(), 20) }, 'closes the connection'],
  ['a broken compressed answer', (_request, response) => { response.writeHead(200, { 'content-encoding': 'gzip' }).write(gzipSync(GOOD).subarray(0, 15)); setTimeout(() => response.destroy(), 20) }, 'closes the connection'],
  ['a redirect to itself', (request, response) => { response.writeHead(302, { location: request.url }).end() }, 'answers with a redirect (302)'],
  ['401', (_request, response) => { response.writeHead(401).end('no') }, 'answers 401'],
  ['500 with an endless body', (_request, response) => { response.writeHead(500); drip(response, 'x'.repeat(1000), 10) }, 'answers 500'],
  ['404 everywhere', (_request, response) => { response.writeHead(404).end('no') }, 'answers 404']
]
for (const [name, handler, reason] of hostile) {
  t.test(`hostile: ${name}`, async t => {
    const { url, load, hits } = await service(t, handler, { deadline: name === 'a slow drip' ? 1000 : 30_000 })
    const error = await load().then(() => t.fail('read'), (error: Error) => error)
    t.equal((error as Error).message, `The inference service has no list of models: /models ${reason}; /v1/models ${reason}.`)
    t.notMatch((error as Error).message, new URL(url).port, 'without the address')
    t.same(hits.map(({ url }) => url), ['/models', '/v1/models'])
  })
}

t.test('hostile: garbage instead of HTTP; nobody there', async t => {
  const garbage = await listen(t, createTcpServer(socket => { socket.on('error', () => {}).end('SSH-2.0-OpenSSH\r\n') }))
  const models = (url: string) => {
    const models = new InferenceModels(loadConfig({ ...settings, INFERENCE_SERVICE_URL: url }))
    t.teardown(async () => await models.close())
    return models.load(new AbortController().signal)
  }
  await t.rejects(models(garbage), new Error('The inference service has no list of models: /models does not speak HTTP; /v1/models does not speak HTTP.'))
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
  const closed = once(hits[0]!.socket, 'close')
  stop.abort()
  await t.rejects(loading)
  await closed
  t.equal(hits.length, 1, 'and no other address is asked')
})
