// `GET /metrics` is open on a port of its own; without one it is behind API_KEYS like
// everything else. Scrapers get the format that they ask for.
import t from 'tap'
import { startFakeInference } from '../fake-inference.ts'
import { freePort } from '../free-port.ts'
import { rawClient, startGateway, type Teardown } from '../helper.ts'
import { samplesOf } from './helper.ts'

const start = async (t: Teardown, settings: Record<string, string>) => (await startGateway(t, settings)).url

t.test('open where there are no keys', async t => {
  const url = await start(t, {})
  const list = await fetch(`${url}/v1/models`)
  await list.text()
  await fetch(`${url}/v1/models`, { headers: { 'if-none-match': list.headers.get('etag')! } })
  await (await fetch(`${url}/no/such/route`)).text()
  await (await fetch(`${url}/v1/%zz`)).text()
  const answer = await fetch(`${url}/metrics`)
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  const samples = samplesOf(await answer.text())
  t.equal(samples.get('gateway_http_requests_total{http_route="/v1/models",http_request_method="GET",http_response_status_code="200"}'), 1)
  t.equal(samples.get('gateway_http_requests_total{http_route="/v1/models",http_request_method="GET",http_response_status_code="304"}'), 1)
  t.equal(samples.get('gateway_requests_refused_total{code="not_found"}'), 1)
  t.equal(samples.get('gateway_requests_refused_total{code="invalid_url"}'), 1)
  t.equal(samples.get('gateway_http_requests_total{http_route="unknown",http_request_method="GET",http_response_status_code="404"}'), 1)
})

t.test('behind the keys where there are', async t => {
  const url = await start(t, { API_KEYS: 'key' })
  const refused = await fetch(`${url}/metrics`)
  t.equal(refused.status, 401)
  t.match(await refused.json(), { error: { code: 'invalid_api_key' } })
  t.equal((await fetch(`${url}/metrics`, { headers: { authorization: 'Bearer key' } })).status, 200)
})

t.test('on a port of its own, without a key, and there alone', async t => {
  const port = await freePort()
  const url = await start(t, { METRICS_PORT: String(port), API_KEYS: 'key' })
  const own = `http://127.0.0.1:${port}`
  const answer = await fetch(`${own}/metrics`)
  t.equal(answer.status, 200)
  t.match(await answer.text(), /^gateway_requests_in_flight 0$/m)
  t.equal((await fetch(`${url}/metrics`, { headers: { authorization: 'Bearer key' } })).status, 404)
  const other = await fetch(`${own}/v1/models`)
  t.equal(other.status, 404)
  t.same(Object.keys((await other.json() as { error: object }).error), ['message', 'type', 'param', 'code'])
})

t.test('in the format asked for', async t => {
  const url = await start(t, {})
  const openmetrics = 'application/openmetrics-text; version=1.0.0; charset=utf-8'
  const cases: Record<string, boolean> = {
    '*/*': false,
    'text/plain': false,
    'application/openmetrics-text': true,
    // Prometheus 2 and 3.
    'application/openmetrics-text;version=1.0.0;q=0.75,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.25,*/*;q=0.1': true,
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=1.0.0;q=0.5,*/*;q=0.2': true,
    'text/plain,application/openmetrics-text;q=0.5': false,
    'application/openmetrics-text;q=0': false
  }
  for (const [accept, expected] of Object.entries(cases)) {
    const answer = await fetch(`${url}/metrics`, { headers: { accept } })
    const text = await answer.text()
    t.equal(answer.headers.get('content-type') === openmetrics, expected, accept)
    t.equal(text.endsWith('# EOF\n'), expected, accept)
  }
})

t.test('real requests with made-up models, paths, methods and keys make no series of their own', async t => {
  const service = await startFakeInference()
  t.teardown(() => service.close())
  const { url, port } = await startGateway(t, { INFERENCE_SERVICE_URL: service.url, API_KEYS: 'key', PROXY_EXTRA_PATHS: 'files/*' })
  const authorization = { authorization: 'Bearer key' }
  const send = async (i: number) => {
    const json = { ...authorization, 'content-type': 'application/json' }
    await (await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers: json, body: JSON.stringify({ model: `model-${i}` }) })).text()
    await (await fetch(`${url}/v1/files/${i}`, { method: 'DELETE', headers: authorization })).text()
    await (await fetch(`${url}/path-${i}`, { headers: authorization })).text()
    await (await fetch(`${url}/v1/models/id-${i}`, { headers: authorization })).text()
    await (await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer wrong-${i}` } })).text()
    await (await rawClient(port, `METHOD${i} /v1/models HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`)).closed
  }
  // What Node measures of itself, such as the kinds of garbage collection, comes and goes.
  const series = async () => [...samplesOf(await (await fetch(`${url}/metrics`, { headers: authorization })).text()).keys()].filter(name => /^(gateway|gen_ai)_/.test(name)).sort()
  await series()
  for (let i = 0; i < 20; i++) await send(i)
  const before = await series()
  for (let i = 100; i < 200; i++) await send(i)
  t.same(await series(), before)
})
