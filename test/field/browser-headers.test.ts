// A page on the frontend's own origin sends what browsers send: cookies, Origin,
// Referer, Sec-Fetch-*. None of it is the service's business, and an Ollama answers
// 403 to an Origin that it does not know. What a service would set for its own
// origin (cookies, Alt-Svc, HSTS, reports) must not be set for the gateway's.
import t from 'tap'
import { lastPost, parseAnswer, rawClient } from '../faults/helper.ts'
import { startGateway } from '../helper.ts'
import { startService } from './helper.ts'

const UP = {
  cookie: 'session=1',
  referer: 'http://localhost/studio',
  'sec-fetch-site': 'same-origin',
  'sec-ch-ua': '"x"',
  'access-control-request-method': 'POST',
  'cf-connecting-ip': '1.2.3.4',
  'true-client-ip': '1.2.3.4',
  'x-real-ip': '1.2.3.4',
  'cdn-loop': 'x',
  'x-forwarded-prefix': '/x',
  dnt: '1'
}
const DOWN = {
  'set-cookie': ['a=1', 'b=2'],
  'alt-svc': 'h3=":443"',
  nel: '{}',
  'report-to': '{}',
  'reporting-endpoints': 'x',
  'strict-transport-security': 'max-age=1',
  'clear-site-data': '"*"',
  'access-control-allow-origin': '*',
  'access-control-allow-credentials': 'true',
  'x-request-id': 'req_inside'
}

t.test('neither way', async t => {
  const service = await startService(t, () => ({ headers: { ...DOWN, 'x-kept': 'yes', 'openai-processing-ms': '5', vary: 'Accept' }, body: '{}' }))
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: service.url })
  const origin = `http://127.0.0.1:${gateway.port}`
  const client = await rawClient(gateway.port, lastPost('/v1/chat/completions', '{}', { ...UP, origin, host: `127.0.0.1:${gateway.port}`, 'x-own': 'kept', 'user-agent': 'Firefox' }))
  await client.closed
  const { status, headers } = parseAnswer(client.text())
  t.equal(status, 200)
  const { headers: up } = service.received[0]!
  for (const name of [...Object.keys(UP), 'origin']) t.equal(up[name], undefined, name)
  t.match(up, { 'x-own': 'kept', 'user-agent': 'Firefox', 'x-forwarded-for': '127.0.0.1' })
  for (const name of Object.keys(DOWN).filter(name => !/^(x-request-id|access-control-allow-origin)$/.test(name))) t.equal(headers[name], undefined, name)
  t.match(headers, { 'x-kept': 'yes', 'openai-processing-ms': '5', vary: /Accept.*Origin/ })
  t.not(headers['x-request-id'], 'req_inside')
  t.not(headers['access-control-allow-origin'], '*')
})

t.test('what a trusted proxy says of its client is kept', async t => {
  const service = await startService(t)
  const { url } = await startGateway(t, { INFERENCE_SERVICE_URL: service.url, TRUST_PROXY: 'loopback' })
  await fetch(`${url}/v1/chat/completions`, { method: 'POST', body: '{}', headers: { 'x-forwarded-for': '9.9.9.9', 'cf-connecting-ip': '9.9.9.9', 'x-forwarded-prefix': '/x', 'x-forwarded-host': 'studio.example' } })
  t.match(service.received[0]!.headers, { 'x-forwarded-for': '9.9.9.9, 127.0.0.1', 'cf-connecting-ip': '9.9.9.9', 'x-forwarded-prefix': '/x', 'x-forwarded-host': 'studio.example' })
})
