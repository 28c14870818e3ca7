// What happens to requests shows in one scrape and one log line each, with their trace:
// client → gateway → service. The gateway is a process of its own, as operators run it.
import OpenAI from 'openai'
import t from 'tap'
import { startFakeInference } from '../fake-inference.ts'
import { eventually, post, rawClient } from '../helper.ts'
import { spawnGateway } from '../spawn.ts'
import { samplesOf } from './helper.ts'
import { startOtlpReceiver } from './otlp-receiver.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const chat = { model: 'gemini-1.5-flash', messages: [{ role: 'user' as const, content: 'secret-prompt' }] }

t.test('requests of every end', async t => {
  const service = await startFakeInference()
  t.teardown(() => service.close())
  const receiver = await startOtlpReceiver(t)
  const gateway = await spawnGateway(t, { INFERENCE_SERVICE_URL: service.url, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: '50', OTEL_SERVICE_NAME: 'gw' })
  const url = `http://127.0.0.1:${gateway.port}`
  const client = new OpenAI({ baseURL: `${url}/openai/v1`, apiKey: 'sk-secret', maxRetries: 0 })
  const lines = () => gateway.out().split('\n').filter(line => line.includes('"outcome"')).map(line => JSON.parse(line))
  const line = async (fields: object) => {
    const found = () => lines().find(line => Object.entries(fields).every(([name, value]) => line[name] === value))
    await eventually(() => found() !== undefined, 5000, () => `${JSON.stringify(fields)} in ${gateway.out()}`)
    return found()
  }
  const spansOf = async (traceId: string, count: number) => {
    const found = () => receiver.spans.filter(span => span.traceId === traceId)
    await eventually(() => found().length === count, 5000, () => found().map(({ kind, name }) => `${kind} ${name}`).join())
    return { server: found().find(({ kind }) => kind === 'server')!, client: found().find(({ kind }) => kind === 'client')! }
  }

  await t.test('a stream that states its tokens', async t => {
    const stream = await client.chat.completions.create({ ...chat, stream: true, stream_options: { include_usage: true } }, { headers: { traceparent: `00-${TRACE}-b7ad6b7169203331-01` } })
    let tokens
    for await (const chunk of stream) tokens = chunk.usage ?? tokens
    const logged = await line({ traceId: TRACE })
    t.match(logged, { outcome: 'complete', path: '/openai/v1/chat/completions', status: 200, model: 'gemini-1.5-flash', answeredBy: 'gemini-1.5-flash', tokensIn: tokens!.prompt_tokens, tokensOut: tokens!.completion_tokens })
    for (const name of ['queueMs', 'firstByteMs', 'durationMs', 'bytesOut']) t.type(logged[name], 'number', name)
    const { server, client: upstream } = await spansOf(TRACE, 2)
    t.equal(server.parentId, 'b7ad6b7169203331')
    t.equal(upstream.parentId, server.spanId)
    t.equal(logged.spanId, server.spanId)
    t.equal(service.requests.at(-1)!.headers.traceparent, `00-${TRACE}-${upstream.spanId}-01`, 'the service\'s parent')
    t.equal(upstream.attributes['gen_ai.usage.output_tokens'], tokens!.completion_tokens)
  })

  await t.test('a client that leaves before the answer', async t => {
    const leaving = await rawClient(gateway.port, post('/v1/chat/completions', JSON.stringify(chat), { 'x-stand-in-first-token-delay': '60000' }))
    await service.waitFor(request => request.headers['x-stand-in-first-token-delay'] === '60000')
    leaving.socket.destroy()
    const { traceId } = await line({ outcome: 'client-left' })
    const { server, client: upstream } = await spansOf(traceId, 2)
    t.equal(server.attributes['gateway.outcome'], 'client-left')
    t.equal(upstream.attributes['error.type'], 'client_left')
  })

  await t.test('a stream that breaks', async t => {
    await (await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json', 'x-stand-in-break-after': '2' }, body: JSON.stringify({ ...chat, stream: true }) })).text().catch(() => {})
    const { traceId } = await line({ outcome: 'broken' })
    const { server } = await spansOf(traceId, 2)
    t.equal(server.status.code, 2)
    t.equal(server.attributes['error.type'], 'upstream_failed')
  })

  await t.test('one that is refused before it is sent', async t => {
    const answer = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '[]' })
    t.equal(answer.status, 400)
    const { traceId } = await line({ outcome: 'refused' })
    const { server } = await spansOf(traceId, 1)
    t.equal(server.attributes['error.type'], 'invalid_json')
  })

  await t.test('one that the gateway answers itself', async t => {
    const traceId = '1af7651916cd43dd8448eb211c80319c'
    t.equal((await fetch(`${url}/v1/models/none`, { headers: { traceparent: `00-${traceId}-b7ad6b7169203331-01` } })).status, 404)
    const { server } = await spansOf(traceId, 1)
    const answered = () => gateway.out().split('\n').find(line => line.includes(traceId))
    await eventually(() => answered() !== undefined, 5000)
    t.match(JSON.parse(answered()!), { path: '/v1/models/*', status: 404, error: 'model_not_found', spanId: server.spanId })
  })

  await t.test('a malformed one, which reaches no route', async t => {
    const raw = await rawClient(gateway.port, 'GET / HTTP/9.9\r\n\r\n')
    await raw.closed
    t.match(raw.text(), /^HTTP\/1\.1 400 /)
    await eventually(() => /"msg":"malformed request"/.test(gateway.out()), 5000)
  })

  await t.test('the scrape', async t => {
    const samples = samplesOf(await (await fetch(`${url}/metrics`)).text())
    const sum = (start: string, ...parts: string[]) => [...samples].filter(([name]) => name.startsWith(start) && parts.every(part => name.includes(part))).reduce((sum, [, value]) => sum + value, 0)
    t.equal(sum('gen_ai_client_operation_duration_seconds_count'), 4)
    t.equal(sum('gen_ai_client_operation_duration_seconds_count', 'error_type=""', 'gen_ai_request_model="gemini-1.5-flash"', 'gen_ai_response_model="gemini-1.5-flash"', 'http_route="/openai/v1/chat/completions"'), 1)
    t.equal(sum('gen_ai_client_operation_time_to_first_chunk_seconds_count', 'http_route="/openai'), 1)
    t.ok(sum('gen_ai_client_inference_usage_output_tokens_total') > 0)
    t.equal(sum('gateway_clients_left_total', 'phase="waiting"') + sum('gateway_clients_left_total', 'phase="streaming"'), 1)
    t.equal(sum('gateway_streams_broken_total', 'reason="upstream_failed"'), 1)
    t.equal(sum('gateway_requests_refused_total', 'code="invalid_json"'), 1)
    t.equal(sum('gateway_requests_refused_total', 'code="bad_request"'), 1)
    t.ok(sum('gateway_upstream_connections_opened_total') >= 1)
    t.ok(sum('gateway_upstream_connect_seconds_count') >= 1)
    t.equal(sum('gateway_queue_wait_seconds_count'), 3)
    t.equal(sum('gateway_requests_in_flight'), 0)
    t.equal(sum('gateway_catalog_models') > 0, true)
  })

  t.notMatch(gateway.output(), /secret-prompt|sk-secret/, 'no prompt and no key in the log')
})
