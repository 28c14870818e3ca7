// `GET /metrics` is open on a port of its own; without one it is behind API_KEYS like
// everything else. Scrapers get the format that they ask for.
import Fastify from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import errors, { errorOptions } from '../../plugins/errors.ts'
import keys from '../../plugins/keys.ts'
import metricsPlugin from '../../plugins/metrics.ts'
import { logDestination, RequestLog } from '../../plugins/request-log.ts'
import { freePort } from '../free-port.ts'
import type { Teardown } from '../helper.ts'
import { samplesOf, STATE } from './helper.ts'

/** A server with the plugin, and a catalog of one model. */
async function start (t: Teardown, settings: { port?: number, keys?: string[] }): Promise<string> {
  const app = Fastify({ ...errorOptions(new RequestLog(logDestination(), 'silent')), logger: false })
  app.decorate('securityHeaders', {})
  await app.register(fp(async app => { app.decorate('catalog', { list: () => [{ id: 'a' }], onChange: () => {} } as never) }, { name: 'catalog' }))
  await app.register(errors)
  await app.register(keys, { keys: settings.keys ?? [], except: [] })
  await app.register(metricsPlugin, { host: '127.0.0.1', port: settings.port, queueLimit: 1024, catalogMaxAge: 1800, state: STATE })
  app.get('/v1/models', async () => [])
  t.teardown(() => app.close())
  return await app.listen({ host: '127.0.0.1', port: 0 })
}

t.test('open where there are no keys', async t => {
  const url = await start(t, {})
  await (await fetch(`${url}/v1/models`)).text()
  await (await fetch(`${url}/no/such/route`)).text()
  const answer = await fetch(`${url}/metrics`)
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  const samples = samplesOf(await answer.text())
  t.equal(samples.get('gateway_http_requests_total{http_route="/v1/models",http_request_method="GET",http_response_status_code="200"}'), 1)
  t.equal(samples.get('gateway_http_requests_total{http_route="unknown",http_request_method="GET",http_response_status_code="404"}'), 1)
})

t.test('behind the keys where there are', async t => {
  const url = await start(t, { keys: ['key'] })
  const refused = await fetch(`${url}/metrics`)
  t.equal(refused.status, 401)
  t.match(await refused.json(), { error: { code: 'invalid_api_key' } })
  t.equal((await fetch(`${url}/metrics`, { headers: { authorization: 'Bearer key' } })).status, 200)
})

t.test('on a port of its own, without a key, and there alone', async t => {
  const port = await freePort()
  const url = await start(t, { port, keys: ['key'] })
  const own = `http://127.0.0.1:${port}`
  const answer = await fetch(`${own}/metrics`)
  t.equal(answer.status, 200)
  t.match(await answer.text(), /^gateway_requests_in_flight 3$/m)
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
