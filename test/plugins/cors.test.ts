// Which pages may use the gateway: preflights and answers as a browser sees
// them, errors and proxied answers included.
import { test } from 'tap'
import { startPair } from '../clients.ts'
import { post, rawClient, startGateway, startRawUpstream } from '../helper.ts'

const LOCAL = ['http://localhost', 'http://localhost:3000', 'https://localhost:8443', 'http://127.0.0.1:5173', 'http://[::1]:4321']
const FOREIGN = ['https://example.com', 'http://localhost.example.com', 'http://127.0.0.1.example.com', 'http://evil-localhost', 'http://localhost:3000.example.com', 'web+http://localhost', 'null', 'file://']

const preflight = (url: string, origin: string, headers: string, method = 'POST') => fetch(url, {
  method: 'OPTIONS',
  headers: { origin, 'access-control-request-method': method, 'access-control-request-headers': headers }
})

test('by default the pages of this machine are let in, and no others', async t => {
  const { url } = await startGateway(t, {})
  for (const path of ['/v1/models', '/v1/chat/completions', '/openai/v1/models/a/b']) {
    for (const origin of LOCAL) {
      const answer = await preflight(url + path, origin, 'content-type')
      t.equal(answer.status, 204, origin)
      t.equal(answer.headers.get('access-control-allow-origin'), origin)
      t.match(answer.headers.get('vary'), /origin/i)
      t.notOk(answer.headers.has('access-control-allow-credentials'))
    }
    for (const origin of FOREIGN) {
      const answer = await preflight(url + path, origin, 'content-type')
      t.notOk(answer.headers.has('access-control-allow-origin'), origin)
      t.match(await answer.json(), { error: { message: String, type: 'invalid_request_error' } })
    }
  }
})

test('CORS_ORIGINS: those alone, or any', async t => {
  const { url } = await startGateway(t, { CORS_ORIGINS: 'https://studio.example, https://other.example:443/' })
  const allowed = async (origin: string) => (await fetch(`${url}/v1/models`, { headers: { origin } })).headers.get('access-control-allow-origin')
  t.equal(await allowed('https://studio.example'), 'https://studio.example')
  t.equal(await allowed('https://other.example'), 'https://other.example', 'a default port or a slash is a slip of the pen')
  t.equal(await allowed('https://studio.example.net'), null)
  t.equal(await allowed('http://localhost:3000'), null)

  const open = await startGateway(t, { CORS_ORIGINS: '*' })
  for (const origin of [...LOCAL, ...FOREIGN]) {
    t.equal((await preflight(`${open.url}/v1/models`, origin, '', 'GET')).headers.get('access-control-allow-origin'), '*', origin)
  }
})

test('a preflight of an allowed page gets the headers that it asks for, whatever they are', async t => {
  const { url } = await startGateway(t, {})
  // What published clients send, and a name that none has sent yet.
  const asked = [
    'authorization', 'content-type', 'x-api-key', 'api-key', 'x-request-id', 'if-none-match', 'user-agent',
    'x-stainless-os', 'x-stainless-retry-count', 'openai-organization', 'anthropic-version', 'anthropic-beta', 'anthropic-dangerous-direct-browser-access',
    'http-referer', 'x-title', 'traceparent', 'tracestate', 'sentry-trace', 'baggage', 'last-event-id', 'cache-control', "x-!#$%&'*+.^_`|~"
  ]
  const answer = await preflight(`${url}/v1/chat/completions`, LOCAL[1]!, `${asked.join(',')}, X-Next-Year, x-no token, "quoted", `)
  t.equal(answer.headers.get('access-control-allow-headers'), [...asked, 'x-next-year'].join(', '), 'names that are no tokens are left out')
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) t.match(answer.headers.get('access-control-allow-methods'), method)
  t.notOk((await preflight(`${url}/v1/chat/completions`, FOREIGN[0]!, 'x-api-key')).headers.has('access-control-allow-headers'))
})

test('a preflight needs no API key; an answer without one can be read', async t => {
  const { url } = await startGateway(t, { API_KEYS: 'secret' })
  t.equal((await preflight(`${url}/v1/models`, LOCAL[1]!, 'authorization', 'GET')).status, 204)
  const refused = await fetch(`${url}/v1/models`, { headers: { origin: LOCAL[1]! } })
  t.equal(refused.status, 401)
  t.equal(refused.headers.get('access-control-allow-origin'), LOCAL[1])
})

test('answers, errors and proxied answers can be read, with the headers that clients use', async t => {
  const { gateway: { url }, standIn } = await startPair(t)
  const origin = LOCAL[1]!
  const chat = (headers = {}) => fetch(`${url}/v1/chat/completions`, { method: 'POST', body: '{"messages":[],"stream":true}', headers: { origin, 'content-type': 'application/json', ...headers } })
  const answers = {
    list: await fetch(`${url}/v1/models`, { headers: { origin } }),
    streamed: await chat(),
    'upstream error': await chat({ 'x-stand-in-status': '429' }),
    'unknown route': await fetch(`${url}/nothing`, { headers: { origin } }),
    'wrong method': await fetch(`${url}/v1/chat/completions`, { headers: { origin } }),
    unreachable: await standIn.close().then(() => chat())
  }
  for (const [name, answer] of Object.entries(answers)) {
    t.equal(answer.headers.get('access-control-allow-origin'), origin, name)
    const exposed = answer.headers.get('access-control-expose-headers')!.split(', ')
    for (const header of ['x-request-id', 'request-id', 'retry-after', 'retry-after-ms', 'x-should-retry', 'openai-processing-ms', 'ratelimit', 'ratelimit-policy', 'ratelimit-remaining', 'etag', 'age', 'cache-status', 'location', '*']) t.ok(exposed.includes(header), `${name}: ${header}`)
    t.match(answer.headers.get('vary'), /origin/i, name)
    await answer.arrayBuffer()
  }
})

test('without an Origin there is nothing to say, and a bare OPTIONS is an unknown method', async t => {
  const { url } = await startGateway(t, {})
  t.notOk((await fetch(`${url}/v1/models`)).headers.has('access-control-allow-origin'))
  for (const headers of [{}, { origin: LOCAL[0]! }]) {
    const answer = await fetch(`${url}/v1/models`, { method: 'OPTIONS', headers })
    t.ok(answer.status === 404 || answer.status === 405)
    t.match(await answer.json(), { error: { type: 'invalid_request_error' } })
  }
})

test('the inference service has no say: its own CORS headers are replaced', async t => {
  const upstream = await startRawUpstream(t, socket => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\naccess-control-allow-origin: *\r\naccess-control-allow-credentials: true\r\nvary: Accept\r\ncontent-length: 2\r\n\r\n{}')
  })
  const { port } = await startGateway(t, { INFERENCE_SERVICE_URL: upstream.url })
  const client = await rawClient(port, post('/v1/chat/completions', '{}', { origin: LOCAL[1]! }))
  const text = await client.until(/\r\n\r\n\{\}/)
  client.socket.destroy()
  t.strictSame(text.match(/access-control-allow-(origin|credentials): .*/gi), [`access-control-allow-origin: ${LOCAL[1]}`])
  const vary = text.match(/^vary: .*/gim)!.join()
  t.match(vary, /Accept/)
  t.match(vary, /Origin/)
})
