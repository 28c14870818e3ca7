// API keys: checked before anything else, on every route but health, docs and
// preflight; never forwarded.
import t from 'tap'
import { startFakeInference } from './fake-inference.ts'
import { rawClient, startGateway } from './helper.ts'

t.test('with API_KEYS set', async t => {
  const upstream = await startFakeInference()
  t.teardown(() => upstream.close())
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: upstream.url, API_KEYS: 'old-key,new-key' })
  const chat = (headers: Record<string, string>, body = '{}') => fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', body, headers })

  for (const path of ['/v1/models', '/v1/models/sdxl', '/openai/v1/models', '/v1/chat/completions', '/nowhere']) {
    t.test(`${path} needs a key`, async t => {
      const response = await fetch(gateway.url + path)
      t.equal(response.status, 401)
      t.equal(response.headers.get('www-authenticate'), 'Bearer')
      t.match(await response.json(), { error: { message: String, type: 'authentication_error', param: null, code: 'invalid_api_key' } })
    })
  }
  t.test('an upload without a key is not read to its end', async t => {
    const client = await rawClient(gateway.port, 'POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: 1000000000\r\n\r\n')
    const block = Buffer.alloc(65536, 'x')
    const timer = setInterval(() => { client.socket.write(block) }, 5)
    await client.closed
    clearInterval(timer)
    t.match(client.text(), /^HTTP\/1\.1 401 [^]*connection: close[^]*"code":"invalid_api_key"/i)
  })
  t.test('a list of types is one type: two readers could take two', async t => {
    const { text, closed } = await rawClient(gateway.port, 'POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nx-api-key: old-key\r\ncontent-type: application/json\r\nContent-Type: text/plain\r\ncontent-length: 2\r\n\r\n{}')
    await closed
    t.match(text(), /^HTTP\/1\.1 400 /)
  })
  for (const path of ['/healthz', '/readyz']) {
    t.test(`${path} needs none`, async t => t.equal((await fetch(gateway.url + path)).status, 200))
  }
  for (const [name, headers] of Object.entries({
    bearer: { authorization: 'Bearer old-key' },
    'bearer, any case': { authorization: 'bearer new-key' },
    'x-api-key': { 'x-api-key': 'new-key' }
  })) {
    t.test(`taken: ${name}`, async t => {
      t.equal((await chat(headers)).status, 200)
      const hit = upstream.requests.at(-1)!
      t.notMatch(hit.rawHeaders.join('\n'), /old-key|new-key/, 'the key stays here')
      t.equal(hit.headers.authorization, undefined)
    })
  }
  for (const [name, headers] of Object.entries<Record<string, string>>({
    wrong: { authorization: 'Bearer nope' },
    'a prefix of one': { authorization: 'Bearer old-ke' },
    'both at once': { authorization: 'Bearer old-key,new-key' },
    basic: { authorization: 'Basic old-key' },
    empty: { 'x-api-key': '' }
  })) {
    t.test(`refused: ${name}`, async t => {
      const hits = upstream.requests.length
      t.equal((await chat(headers, 'not even JSON')).status, 401, 'before the body is looked at')
      t.equal(upstream.requests.length, hits)
    })
  }
  t.test('the list is for the holder of a key only', async t => {
    const response = await fetch(`${gateway.url}/v1/models`, { headers: { authorization: 'Bearer new-key' } })
    t.equal(response.headers.get('cache-control'), 'private, no-cache')
  })
})

t.test('whose credentials the upstream sees', async t => {
  const upstream = await startFakeInference()
  t.teardown(() => upstream.close())
  const authorization = async (settings: Record<string, string>) => {
    const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: upstream.url, ...settings })
    await (await fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', body: '{}', headers: { authorization: 'Bearer client' } })).arrayBuffer()
    return upstream.requests.at(-1)!.headers.authorization
  }
  t.equal(await authorization({}), 'Bearer client', 'an open gateway passes the client\'s')
  t.equal(await authorization({ INFERENCE_API_KEY: 'mine' }), 'Bearer mine')
  t.equal(await authorization({ INFERENCE_API_KEY: 'mine', API_KEYS: 'client' }), 'Bearer mine')
  t.equal(await authorization({ API_KEYS: 'client' }), undefined)
})

t.test('the rate limit counts by key, and says when to come again', async t => {
  const gateway = await startGateway(t, { API_KEYS: 'a,b', RATE_LIMIT: '2' })
  const list = (key: string) => fetch(`${gateway.url}/v1/models`, { headers: { 'x-api-key': key } })
  t.equal((await list('a')).status, 200)
  t.equal((await list('a')).status, 200)
  const refused = await list('a')
  t.equal(refused.status, 429)
  t.match(refused.headers.get('retry-after'), /^\d+$/)
  t.match(await refused.json(), { error: { type: 'rate_limit_error', code: 'rate_limit_exceeded' } })
  t.equal((await list('b')).status, 200)
  // A key that is none has no count of its own, be it on a route that asks for none.
  const docs = async (key: string) => (await fetch(`${gateway.url}/openapi.json`, { method: 'HEAD', headers: { 'x-api-key': key } })).status
  t.strictSame([await docs('made up'), await docs('another'), await docs('and another')], [200, 200, 429])
  for (let i = 0; i < 4; i++) t.equal((await fetch(`${gateway.url}/healthz`)).status, 200)
})
