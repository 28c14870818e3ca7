// With traces on, each request has one server span, whoever answers it and however it
// ends: pages and lists, what is refused before its route, and what goes to the service.
import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { startFakeInference } from '../fake-inference.ts'
import { eventually, post, rawClient, startGateway } from '../helper.ts'
import { startOtlpReceiver, type ReceivedSpan } from './otlp-receiver.ts'

/** What a request's server span says, and whether it is an error. */
type Expected = [name: string, status: number | undefined, error: string | undefined, isError?: boolean]

/** A gateway that sends its spans, and `ask`: sends bytes with a trace of their own, and reads the answer to its end. */
async function startTraced (t: Test, settings: Record<string, string>) {
  const service = await startFakeInference()
  t.teardown(() => service.close())
  const receiver = await startOtlpReceiver(t)
  Object.assign(process.env, { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: '20' })
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: service.url, ...settings })
  const traced = (traceId: string, request: string) => request.replace('\r\n', `\r\ntraceparent: 00-${traceId}-b7ad6b7169203331-01\r\n`)
  const ask = async (request: string) => {
    const traceId = randomBytes(16).toString('hex')
    await (await rawClient(gateway.port, traced(traceId, request))).closed
    return traceId
  }
  const spansOf = async (traceId: string, count: number): Promise<ReceivedSpan[]> => {
    const found = () => receiver.spans.filter(span => span.traceId === traceId)
    await eventually(() => found().length >= count, 5000, () => JSON.stringify(found()))
    return found()
  }
  const expect = async (t: Test, traceId: string, [name, status, error, isError = false]: Expected, client: 0 | 1 = 0) => {
    const spans = await spansOf(traceId, 1 + client)
    const { name: got, parentId, attributes, status: { code } } = spans.find(({ kind }) => kind === 'server')!
    t.same([got, attributes['http.response.status_code'], attributes['error.type'], code === 2], [name, status, error, isError], name)
    t.equal(attributes['http.route'], name.split(' ')[1], 'its route is in its name')
    t.equal(attributes['http.request.method'], name.split(' ')[0])
    t.equal(parentId, 'b7ad6b7169203331', 'the parent is the client\'s')
  }
  return { ...gateway, service, receiver, traced, ask, spansOf, expect }
}

const get = (path: string, headers = '', method = 'GET') => `${method} ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n${headers}\r\n`
const KEY = 'authorization: Bearer key\r\n'

t.test('requests of every kind', async t => {
  const { app, service, receiver, ask, spansOf, expect } = await startTraced(t, { API_KEYS: 'key', ADMIN_API_KEY: 'admin', RATE_LIMIT: '7', CORS_ORIGINS: 'https://app.example' })
  const cases: [request: string, expected: Expected][] = [
    [get('/v1/models', 'authorization: Bearer wrong\r\n'), ['GET /v1/models', 401, 'invalid_api_key']],
    [post('/v1/chat/completions', '{}', { connection: 'close' }).toString(), ['POST /v1/chat/completions', 401, 'invalid_api_key']],
    [get('/studio'), ['GET /studio', 200, undefined]],
    [get('/docs'), ['GET /docs', 200, undefined]],
    [get('/admin/models'), ['GET /admin/models', 401, 'invalid_api_key']],
    [get('/v1/models', 'origin: https://app.example\r\naccess-control-request-method: GET\r\n', 'OPTIONS'), ['OPTIONS *', 204, undefined]],
    [get('/v1/models', 'transfer-encoding: gzip, chunked\r\n', 'POST'), ['POST unknown', 400, 'bad_request']],
    [get('/v1/a/../models'), ['GET unknown', 400, 'invalid_url']],
    [get('/v1/models', `${KEY}upgrade: websocket\r\n`), ['GET /v1/models', 501, 'upgrade_not_supported', true]],
    [get('/v1/models', KEY), ['GET /v1/models', 200, undefined]],
    [get('/v1/models', `${KEY}if-none-match: *\r\n`), ['GET /v1/models', 304, undefined]],
    [get('/v1/models/none', KEY), ['GET /v1/models/*', 404, 'model_not_found']],
    [get('/secret/path', KEY), ['GET unknown', 404, 'not_found']],
    [get('/v1/models', KEY, 'DELETE'), ['DELETE unknown', 405, 'method_not_allowed']]
  ]
  for (const [request, expected] of cases) await expect(t, await ask(request), expected)

  const chat = await ask(post('/v1/chat/completions', '{"messages":[]}', { connection: 'close', authorization: 'Bearer key' }).toString())
  await expect(t, chat, ['POST /v1/chat/completions', 200, undefined], 1)
  const kinds = (await spansOf(chat, 2)).map(({ kind }) => kind).sort()
  t.same(kinds, ['client', 'server'], 'one span each for a proxied request')

  await expect(t, await ask(get('/v1/models', KEY)), ['GET /v1/models', 200, undefined])
  await expect(t, await ask(get('/v1/models', KEY)), ['GET /v1/models', 429, 'rate_limit_exceeded'])
  await expect(t, await ask(post('/v1/chat/completions', '{}', { connection: 'close', authorization: 'Bearer key' }).toString()), ['POST /v1/chat/completions', 429, 'rate_limit_exceeded'])

  const probes = [await ask(get('/healthz')), await ask(get('/readyz')), await ask(get('/metrics', KEY))]
  app.drain.draining = true
  await expect(t, await ask(get('/studio')), ['GET /studio', 503, 'draining', true])
  app.drain.draining = false
  t.equal(receiver.spans.filter(({ traceId }) => probes.includes(traceId)).length, 0, 'probes have none')
  const counts = Map.groupBy(receiver.spans.filter(({ kind }) => kind === 'server'), ({ traceId }) => traceId)
  t.ok([...counts.values()].every(spans => spans.length === 1), 'never two')
  t.equal(service.requests.filter(({ url }) => url.endsWith('/chat/completions')).length, 1)
  t.notMatch(JSON.stringify(receiver.spans.map(span => ({ ...span, start: '', end: '' }))), /secret|Bearer|wrong/, 'no path of a client\'s making, and no key')
})

t.test('a client that leaves in the middle of its request', async t => {
  const { app, port, traced, expect } = await startTraced(t, { ADMIN_API_KEY: 'admin' })
  const traceId = randomBytes(16).toString('hex')
  const client = await rawClient(port, traced(traceId, get('/admin/models', 'authorization: Bearer admin\r\ncontent-type: application/json\r\ncontent-length: 100\r\n', 'POST') + '{"id"'))
  await eventually(() => app.drain.active === 1)
  client.socket.destroy()
  await expect(t, traceId, ['POST /admin/models', undefined, 'client_left'])
})

t.test('a host name that is not the gateway\'s', async t => {
  const { ask, expect } = await startTraced(t, {})
  await expect(t, await ask(get('/v1/models').replace('localhost', 'evil.example')), ['GET /v1/models', 421, 'misdirected_request'])
})
