// nginx, HAProxy and Caddy with the configurations of docs/deployment.md, in
// front of a gateway. Streams come through as they are made; a client that leaves
// ends the model's work; refusals are the gateway's own; a client cannot write
// its own address; and a path arrives as it was sent.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { request, type RequestOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { loadConfig } from '../../src/config.ts'
import { freePort } from '../free-port.ts'
import { startGateway } from '../helper.ts'
import { proxyMissing, startProxy, type ProxyName, type ReverseProxy } from './proxies.ts'

const BODY_LIMIT = 200_000
const CHAT = '{"stream":true,"messages":[]}'

/** An inference service that does what the test says, request by request. */
async function startService (t: Test) {
  let act: (request: IncomingMessage, response: ServerResponse) => void
  const server = createServer((request, response) => { request.resume().once('end', () => act(request, response)) }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.closeAllConnections(); server.close() })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** The next request, once it has arrived. */
    next: () => new Promise<{ request: IncomingMessage, response: ServerResponse }>(resolve => { act = (request, response) => resolve({ request, response }) })
  }
}

/** A request by TLS; the answer once its head has come. */
async function ask ({ port, ca }: ReverseProxy, path: string, options: RequestOptions = {}, body?: string | Buffer): Promise<IncomingMessage> {
  const sent = request({ host: 'localhost', port, ca, path, agent: false, ...options })
  // A refusal may come before the whole body has been read.
  sent.on('error', () => {})
  const answered = once(sent, 'response')
  sent.end(body)
  const [answer] = await answered
  answer.on('error', () => {})
  return answer
}

const post = (proxy: ReverseProxy, body: string | Buffer, headers = {}) => ask(proxy, '/v1/chat/completions', { method: 'POST', headers: { 'content-type': 'application/json', ...headers } }, body)

async function text (answer: IncomingMessage): Promise<string> {
  let whole = ''
  for await (const chunk of answer) whole += chunk
  return whole
}

/** An id whose slash is sent encoded. */
const ODD_ID = 'org/no such model'

for (const name of ['nginx', 'haproxy', 'caddy'] as ProxyName[]) {
  t.test(name, { skip: proxyMissing(name) }, async t => {
    const service = await startService(t)
    const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: service.url, TRUST_PROXY: '127.0.0.1', BODY_LIMIT: String(BODY_LIMIT) })
    const proxy = await startProxy(t, name, [gateway.port])

    await t.test('an event reaches the client before the next one is made', async t => {
      const asked = service.next()
      const answer = post(proxy, CHAT)
      const { response } = await asked
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
      const events = (await answer).setEncoding('utf8')[Symbol.asyncIterator]()
      t.equal((await events.next()).value, 'data: 1\n\n')
      response.end('data: [DONE]\n\n')
      t.equal((await events.next()).value, 'data: [DONE]\n\n')
    })

    await t.test('a client that leaves ends the work, before the first byte and after it', async t => {
      for (const begin of [false, true]) {
        const asked = service.next()
        const sent = request({ host: 'localhost', port: proxy.port, ca: proxy.ca, path: '/v1/chat/completions', method: 'POST', agent: false, headers: { 'content-type': 'application/json' } })
        sent.on('error', () => {}).end(CHAT)
        const { response } = await asked
        const left = once(response, 'close')
        if (begin) {
          response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
          const [answer] = await once(sent, 'response')
          await once(answer.on('error', () => {}), 'data')
        }
        sent.destroy()
        await left
        t.notOk(response.writableFinished, begin ? 'in mid-stream' : 'while it waits')
      }
    })

    await t.test('a body over the limit is refused by the gateway', async t => {
      const answer = await post(proxy, Buffer.alloc(BODY_LIMIT + 1, ' '))
      t.equal(answer.statusCode, 413)
      t.match(JSON.parse(await text(answer)), { error: { message: String, type: String, code: String } })
    })

    await t.test('a client cannot write its own address', async t => {
      const asked = service.next()
      const answer = post(proxy, CHAT, { 'x-forwarded-for': '192.0.2.66', 'x-forwarded-proto': 'http' })
      const { request, response } = await asked
      response.end('{}')
      await text(await answer)
      t.match(request.headers['x-forwarded-for'], /^127\.0\.0\.1\b/, 'the address that the proxy saw')
      t.notMatch(request.headers['x-forwarded-for'], '192.0.2.66')
      t.equal(request.headers['x-forwarded-proto'], 'https')
    })

    await t.test('a path arrives as it was sent', async t => {
      const answer = await ask(proxy, `/v1/models/${encodeURIComponent(ODD_ID)}`)
      t.match(JSON.parse(await text(answer)).error.message, ODD_ID)
    })
  })
}

const PUBLIC_URL = 'https://studio.example/gateway'

/** How each proxy's example serves below a path: the docs' own second example, or the change that their text names. */
const BELOW_A_PATH: Record<ProxyName, { place?: number, edit?: (text: string) => string }> = {
  nginx: { place: 1 },
  haproxy: { edit: text => text.replace(/^backend .*$/m, '$&\n    http-request set-path %[path,regsub(^/gateway/,/)]').replace(/^ +default_backend/m, '    http-request redirect location /gateway/ if { path /gateway }\n$&') },
  caddy: { edit: text => text.replace(/\treverse_proxy[^]*\t\}\n(?=\})/, block => `\tredir /gateway /gateway/\n\thandle_path /gateway/* {\n${block}\t}\n`) }
}

for (const name of Object.keys(BELOW_A_PATH) as ProxyName[]) {
  t.test(`${name}, below a path`, { skip: proxyMissing(name) }, async t => {
    const gateway = await startGateway(t, { TRUST_PROXY: '127.0.0.1', PUBLIC_URL })
    const proxy = await startProxy(t, name, [gateway.port], BELOW_A_PATH[name])
    t.equal(JSON.parse(await text(await ask(proxy, '/gateway/v1/models'))).length, 7)
    t.match(JSON.parse(await text(await ask(proxy, `/gateway/v1/models/${encodeURIComponent('no/such')}`))), { error: { code: 'model_not_found' } })

    const document = JSON.parse(await text(await ask(proxy, '/gateway/openapi.json')))
    t.equal(document.servers[0].url, PUBLIC_URL, 'the OpenAPI document names the public address')
    const home = await ask(proxy, '/gateway/', { headers: { accept: 'text/html' } })
    t.equal(home.statusCode, 302)
    t.match(new URL(home.headers.location!, `${PUBLIC_URL}/`).pathname, /^\/gateway\/(studio|docs)\/?$/, 'a browser is sent to a page below the path')
    const bare = (await ask(proxy, '/gateway')).resume()
    t.match([bare.statusCode, new URL(bare.headers.location!, PUBLIC_URL).pathname], [/30[128]/, '/gateway/'], 'without the last slash')
    for (const name of ['docs', 'studio', 'admin']) {
      const address = new URL(name, `${PUBLIC_URL}/`)
      const page = await text(await ask(proxy, address.pathname, { headers: { accept: 'text/html' } }))
      const files = [...page.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, target]) => new URL(target!, address)).filter(({ protocol }) => protocol.startsWith('http'))
      t.ok(files.length > 2, name)
      for (const { pathname } of files) t.equal((await ask(proxy, pathname, { headers: { accept: 'text/html' } })).resume().statusCode, 200, pathname)
    }
  })
}

t.test('the examples wait longer than the gateway itself', async t => {
  const docs = readFileSync(new URL('../../docs/deployment.md', import.meta.url), 'utf8')
  const { QUEUE_TIMEOUT, UPSTREAM_FIRST_BYTE_TIMEOUT } = loadConfig({})
  const limits = [...docs.matchAll(/(?:proxy_read_timeout|proxy-read-timeout:|timeout client|timeout server|response_header_timeout) "?(\d+)/g)].map(([line, seconds]) => [line, Number(seconds)] as const)
  t.equal(limits.length, 6)
  for (const [line, seconds] of limits) t.ok(seconds > QUEUE_TIMEOUT + UPSTREAM_FIRST_BYTE_TIMEOUT, line)
})

t.test('HAProxy sends a request elsewhere where a gateway is gone', { skip: proxyMissing('haproxy') }, async t => {
  const gateway = await startGateway(t, {})
  const proxy = await startProxy(t, 'haproxy', [await freePort(), gateway.port])
  for (let count = 0; count < 4; count++) t.equal((await ask(proxy, '/v1/models')).statusCode, 200)
})
