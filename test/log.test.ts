// The log: who did what. A reader that stalls stops no request, and what it has not
// read yet is not lost.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { startFakeInference } from './fake-inference.ts'
import { eventually, post, rawClient } from './helper.ts'
import { spawnGateway, type GatewayProcess } from './spawn.ts'

const lines = (gateway: GatewayProcess) => gateway.out().split('\n').filter(line => line.endsWith('}')).map(line => JSON.parse(line) as Record<string, unknown>)

t.test('a reader of the log that stalls: requests go on, and every line is there', async t => {
  const gateway = await spawnGateway(t, {})
  gateway.child.stdout!.pause()
  const url = `http://127.0.0.1:${gateway.port}/v1/models?padding=`
  let answered = 0
  // More lines than a pipe holds (64 KB).
  for (let round = 0; round < 20; round++) {
    const responses = await Promise.all(Array.from({ length: 50 }, () => fetch(url)))
    for (const response of responses) {
      await response.arrayBuffer()
      if (response.status === 200) answered++
    }
  }
  t.equal(answered, 1000)
  gateway.child.stdout!.resume()
  await eventually(() => lines(gateway).filter(({ msg }) => msg === 'answered').length === 1000, 5000)
  t.equal(new Set(lines(gateway).filter(({ msg }) => msg === 'answered').map(({ reqId }) => reqId)).size, 1000)
})

t.test('each line tells the client, the key and what it was about; never a prompt, a key or a query', async t => {
  const upstream = await startFakeInference()
  t.teardown(() => upstream.close())
  const gateway = await spawnGateway(t, { INFERENCE_SERVICE_URL: upstream.url, API_KEYS: 'studio:a-key-of-the-studio', ADMIN_API_KEY: 'alice:the-key-of-alice-1', CATALOG_SOURCE: 'database', DATABASE_URL: `sqlite:${t.testdir()}/catalog.db` })
  const at = (path: string, init: RequestInit = {}) => fetch(`http://127.0.0.1:${gateway.port}${path}`, init).then(response => response.arrayBuffer())
  const json = { 'content-type': 'application/json' }
  await at('/v1/models?secret=query', { headers: { authorization: 'Bearer wrong-key-of-nobody' } })
  await at('/v1/chat/completions?secret=query', { method: 'POST', headers: { ...json, authorization: 'Bearer a-key-of-the-studio' }, body: '{"model":"m","messages":[{"role":"user","content":"secret prompt"}]}' })
  await at('/admin/models/sdxl', { method: 'PATCH', headers: { ...json, authorization: 'Bearer the-key-of-alice-1' }, body: '{"isActive":false}' })
  await at('/healthz')
  await eventually(() => lines(gateway).filter(({ msg }) => /answered|proxied/.test(String(msg))).length === 3, 5000, gateway.output)
  const [refused, chat, edit] = lines(gateway).filter(({ msg }) => /answered|proxied/.test(String(msg)))
  t.match(refused, { outcome: 'refused', status: 401, client: '127.0.0.1', path: '/v1/models' })
  t.match(chat, { status: 200, client: '127.0.0.1', key: 'studio', model: 'm', outcome: 'complete', path: '/v1/chat/completions' })
  t.match(edit, { outcome: 'complete', status: 200, key: 'alice', model: 'sdxl', method: 'PATCH' })
  t.match(lines(gateway).find(({ msg }) => msg === 'model gateway'), { version: String, catalog: 'database', upstream: upstream.url })
  t.notMatch(gateway.output(), /secret|a-key-of|key-of-alice|wrong-key/)

  const section = readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8').split('## The log')[1]!
  const documented = new Set([...section.matchAll(/`(\w+)`/g)].map(([, name]) => name))
  const fields = new Set([refused, chat, edit].flatMap(line => Object.keys(line!)))
  t.same([...fields].filter(name => !documented.has(name)), [], 'docs/operations.md explains each field')
})

t.test('a line about an error has its code, and each line the trace that its client named', async t => {
  const gateway = await spawnGateway(t, { API_KEYS: 'studio:a-key-of-the-studio', RATE_LIMIT: '2' })
  const headers = { authorization: 'Bearer a-key-of-the-studio', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }
  const at = (path: string, more = {}) => fetch(`http://127.0.0.1:${gateway.port}${path}`, { headers: { ...headers, ...more } }).then(response => response.arrayBuffer())
  await at('/v1/models', { authorization: 'Bearer wrong-key-of-nobody' })
  await at('/v1/models')
  await at('/v1/models/none')
  await at('/v1/models')
  const answers = () => lines(gateway).filter(({ msg }) => msg === 'answered')
  await eventually(() => answers().length === 4, 5000, gateway.output)
  t.same(answers().map(({ status, error }) => [status, error]), [[401, 'invalid_api_key'], [200, undefined], [404, 'model_not_found'], [429, 'rate_limit_exceeded']])
  t.same(new Set(answers().map(({ traceId }) => traceId)), new Set(['0af7651916cd43dd8448eb211c80319c']))
})

t.test('every line names the client in the same field, by its address alone', async t => {
  const gateway = await spawnGateway(t, { TRUST_PROXY: 'true' })
  const requests = [
    'GET /v1/models HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: 1.2.3.4:5678\r\nconnection: close\r\n\r\n',
    'GET /v1/models HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: [2001:db8::1]:5678\r\nconnection: close\r\n\r\n',
    'POST /v1/models HTTP/1.1\r\nhost: localhost\r\nexpect: magic\r\nconnection: close\r\ncontent-length: 0\r\n\r\n',
    'no HTTP\r\n\r\n',
    `GET /v1/models HTTP/1.1\r\nhost: localhost\r\nx-big: ${'x'.repeat(40_000)}\r\n\r\n`
  ]
  for (const request of requests) await (await rawClient(gateway.port, request)).closed
  const answers = () => lines(gateway).filter(({ status }) => status !== undefined)
  await eventually(() => answers().length === requests.length, 5000, gateway.output)
  t.same(answers().map(({ msg, client, error }) => [msg, client, error]), [
    ['answered', '1.2.3.4', undefined],
    ['answered', '2001:db8::1', undefined],
    ['refused', '127.0.0.1', 'expectation_failed'],
    ['malformed request', '127.0.0.1', 'bad_request'],
    ['malformed request', '127.0.0.1', 'headers_too_large']
  ])
  t.notMatch(gateway.out(), /remoteAddress/)
})

t.test('each request has one line, also where the client leaves in the middle of it, and one that Node itself would refuse', async t => {
  const gateway = await spawnGateway(t, { ADMIN_API_KEY: 'alice:the-key-of-alice-1' })
  const half = (path: string) => post(path, '{"id"', { authorization: 'Bearer the-key-of-alice-1' }).toString().replace('content-length: 5', 'content-length: 100')
  const ended = () => lines(gateway).filter(({ outcome }) => outcome !== undefined)
  for (const [i, path] of ['/v1/chat/completions', '/admin/models', '/v1/chat/completions', '/admin/models'].entries()) {
    const { socket } = await rawClient(gateway.port, half(path))
    await fetch(`http://127.0.0.1:${gateway.port}/healthz`)
    if (i < 2) socket.destroy()
    else socket.resetAndDestroy()
    await eventually(() => ended().some(line => line.path === path && line.outcome === 'client-left'), 5000, gateway.output)
  }
  await (await rawClient(gateway.port, 'CONNECT a.example:443 HTTP/1.1\r\nhost: a.example\r\n\r\n')).closed
  await eventually(() => ended().length >= 5, 5000, gateway.output)
  const scrape = await (await fetch(`http://127.0.0.1:${gateway.port}/metrics`)).text()
  const refused = { outcome: 'refused', status: 405, error: 'method_not_allowed' }
  t.match(ended().find(({ msg }) => msg === 'refused'), refused)
  t.same(ended().map(({ outcome }) => outcome).sort(), [...Array(4).fill('client-left'), 'refused'])
  t.same(scrape.match(/^gateway_requests_refused_total.*$/gm), ['gateway_requests_refused_total{code="method_not_allowed"} 1'])
})

t.test('a request whose rest is malformed or too slow has one line: the answer that its client got, counted once', async t => {
  const gateway = await spawnGateway(t, { ADMIN_API_KEY: 'alice:the-key-of-alice-1', CLIENT_BODY_TIMEOUT: '0.5' })
  const head = (path: string, rest: string) => `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nauthorization: Bearer the-key-of-alice-1\r\n${rest}`
  const slow = 'content-length: 100\r\n\r\n{'
  const malformed = 'transfer-encoding: chunked\r\n\r\n1\r\n{\r\nno chunk\r\n'
  const cases = [
    [head('/v1/chat/completions', slow), 408], [head('/v1/chat/completions', malformed), 400], [head('/admin/models', slow), 408], [head('/admin/models', malformed), 400],
    // Answered before its rest is due: nothing follows that answer.
    [head('/v1/unlisted', slow), 404], [head('/v1/chat/completions', slow.replace('{', ']')), 400]
  ] as const
  const ids: (string | undefined)[] = []
  for (const [request, status] of cases) {
    const { text, closed } = await rawClient(gateway.port, request)
    await closed
    ids.push(/x-request-id: (\S+)/.exec(text())?.[1])
    t.same(text().match(/HTTP\/1.1 \d+/g), [`HTTP/1.1 ${status}`])
  }
  const ended = () => lines(gateway).filter(({ outcome }) => outcome !== undefined)
  await eventually(() => ended().length >= cases.length, 5000, gateway.output)
  t.same(ended().map(({ path, outcome, status, error }) => [path, outcome, status, error]), [
    ['/v1/chat/completions', 'refused', 408, 'request_timeout'],
    ['/v1/chat/completions', 'refused', 400, 'bad_request'],
    ['/admin/models', 'refused', 408, 'request_timeout'],
    ['/admin/models', 'refused', 400, 'bad_request'],
    ['/v1/unlisted', 'refused', 404, 'not_found'],
    ['/v1/chat/completions', 'refused', 400, 'invalid_json']
  ])
  t.same(ended().map(({ reqId }) => reqId), ids, 'each line can be found by its answer')
  const scrape = await (await fetch(`http://127.0.0.1:${gateway.port}/metrics`)).text()
  const counts = (scrape.match(/^gateway_(requests_refused|clients_left)_total.* [1-9]\d*$/gm) ?? []).sort()
  t.same(counts, ['bad_request"} 2', 'invalid_json"} 1', 'not_found"} 1', 'request_timeout"} 2'].map(end => `gateway_requests_refused_total{code="${end}`))
})
