// Where an OTLP endpoint is set, each request has a span of the gateway's and one of the
// upstream call, which is the parent of what the service sees; both end however the
// request ends.
import t from 'tap'
import { startTraces, type Traces } from '../../src/telemetry/traces.ts'
import { record } from './helper.ts'
import { startOtlpReceiver } from './otlp-receiver.ts'

const PARENT = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'vendor=x' }
const NOT_SAMPLED = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00' }

/** Starts traces by the environment, as an operator does: the exporter reads its part from the process. */
async function start (environment: Record<string, string>, warn = (_message: string) => {}): Promise<Traces | undefined> {
  for (const name of Object.keys(process.env)) if (name.startsWith('OTEL_')) delete process.env[name]
  Object.assign(process.env, environment)
  return await startTraces({ environment: process.env, upstream: 'http://inference.internal:8001/v1', version: '1.2.3', warn })
}

/** Nanoseconds by which the times of two spans may be off: each takes the start of its own clock in milliseconds. */
const CLOCK = 5_000_000n

t.test('off: there are none', async t => {
  for (const environment of [{}, { OTEL_EXPORTER_OTLP_ENDPOINT: '' }, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x', OTEL_SDK_DISABLED: 'true' }, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x', OTEL_TRACES_EXPORTER: 'none' }]) {
    t.equal(await start(environment as Record<string, string>), undefined)
  }
})

t.test('on: the tree, and what the spans say', async t => {
  const receiver = await startOtlpReceiver(t)
  const traces = (await start({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_EXPORTER_OTLP_HEADERS: 'x-tenant=me', OTEL_SERVICE_NAME: 'gw', OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test' }))!
  const span = traces.startServerSpan(PARENT)
  const headers = span.startUpstream()
  span.endExchange(record({ requestModel: 'asked', responseModel: 'answered' }))
  await traces.close()
  t.equal(receiver.spans.length, 2)
  const server = receiver.spans.find(({ kind }) => kind === 'server')!
  const client = receiver.spans.find(({ kind }) => kind === 'client')!
  t.equal(span.traceId, '0af7651916cd43dd8448eb211c80319c')
  t.equal(server.traceId, span.traceId)
  t.equal(server.spanId, span.spanId)
  t.equal(server.parentId, 'b7ad6b7169203331', 'the client\'s')
  t.equal(client.parentId, server.spanId)
  t.same(headers, { traceparent: `00-${span.traceId}-${client.spanId}-01`, tracestate: 'vendor=x' }, 'the service\'s parent')
  t.equal(server.name, 'POST /v1/chat/completions')
  t.equal(client.name, 'chat asked')
  t.match(server.attributes, { 'http.route': '/v1/chat/completions', 'http.response.status_code': 200, 'gateway.outcome': 'complete' })
  t.match(client.attributes, {
    'gen_ai.operation.name': 'chat',
    'gen_ai.request.model': 'asked',
    'gen_ai.response.model': 'answered',
    'gen_ai.usage.input_tokens': 7,
    'gen_ai.usage.output_tokens': 21,
    'gen_ai.usage.cache_read.input_tokens': 2,
    'gen_ai.usage.reasoning.output_tokens': 3,
    'gen_ai.response.time_to_first_chunk': 0.3,
    'server.address': 'inference.internal',
    'server.port': 8001
  })
  t.same([server.status.code, client.status.code], [0, 0])
  t.ok(client.start >= server.start - CLOCK && client.end <= server.end + CLOCK && server.end > server.start)
  t.match(server.resource, { 'service.name': 'gw', 'deployment.environment.name': 'test', 'telemetry.sdk.language': 'nodejs' })
  t.match(receiver.headers[0], { path: '/v1/traces', 'x-tenant': 'me', 'content-type': 'application/x-protobuf' })
})

t.test('errors, and requests that never reach the service', async t => {
  const receiver = await startOtlpReceiver(t)
  const traces = (await start({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/own/path` }))!
  const cases = [
    [record({ outcome: 'broken', errorCode: 'upstream_timeout' }), true, 2, 2, 'upstream_timeout'],
    [record({ outcome: 'client-left', phase: 'waiting' }), true, 0, 2, 'client_left'],
    [record({ status: 429 }), true, 0, 2, '429'],
    [record({ outcome: 'refused', phase: 'connecting', status: 502, errorCode: 'upstream_unreachable' }), true, 2, 2, 'upstream_unreachable'],
    [record({ outcome: 'refused', phase: 'queued', status: 503, errorCode: 'overloaded' }), false, 2, undefined, 'overloaded'],
    [record({ outcome: 'client-left', phase: 'receiving' }), false, 0, undefined, 'client_left']
  ] as const
  const ids = cases.map(([record, upstream]) => {
    const span = traces.startServerSpan({})
    if (upstream) span.startUpstream()
    span.endExchange(record)
    return span.traceId
  })
  await traces.close()
  t.equal(receiver.headers[0]!.path, '/own/path')
  for (const [i, [record, , serverCode, clientCode, type]] of cases.entries()) {
    const spans = receiver.spans.filter(({ traceId }) => traceId === ids[i])
    const server = spans.find(({ kind }) => kind === 'server')!
    const client = spans.find(({ kind }) => kind === 'client')
    const name = `${record.outcome} ${record.phase} ${type}`
    t.equal(server.parentId, '', name)
    t.equal(server.status.code, serverCode, name)
    t.equal(client?.status.code, clientCode, name)
    for (const span of spans) t.equal(span.attributes['error.type'], type, name)
  }
})

t.test('a client that leaves before its request is handed to the proxy: one span, ended once', async t => {
  const receiver = await startOtlpReceiver(t)
  const told: string[] = []
  const traces = (await start({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url }, message => told.push(message)))!
  const span = traces.startServerSpan({})
  span.endAnswered({ method: 'POST', route: '/v1/chat/completions', status: undefined, error: 'client_left' })
  span.endExchange(record({ outcome: 'client-left', phase: 'receiving' }))
  await traces.close()
  t.match(receiver.spans, [{ name: 'POST /v1/chat/completions', attributes: { 'error.type': 'client_left' } }])
  t.equal(receiver.spans.length, 1)
  t.same(told, [])
})

t.test('sampling by OTEL_TRACES_SAMPLER', async t => {
  const cases: [environment: Record<string, string>, parent: object, sent: boolean][] = [
    [{}, {}, true],
    [{}, PARENT, true],
    [{}, NOT_SAMPLED, false],
    [{ OTEL_TRACES_SAMPLER: 'always_on' }, NOT_SAMPLED, true],
    [{ OTEL_TRACES_SAMPLER: 'always_off' }, PARENT, false],
    [{ OTEL_TRACES_SAMPLER: 'parentbased_always_off' }, {}, false],
    [{ OTEL_TRACES_SAMPLER: 'parentbased_always_off' }, PARENT, true],
    [{ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' }, PARENT, false],
    [{ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' }, {}, false],
    [{ OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '1' }, {}, true]
  ]
  for (const [environment, parent, sent] of cases) {
    const receiver = await startOtlpReceiver(t)
    const traces = (await start({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, ...environment }))!
    const span = traces.startServerSpan({ ...parent })
    const { traceparent } = span.startUpstream()
    span.endExchange(record())
    await traces.close()
    const name = JSON.stringify([environment, parent])
    t.equal(receiver.spans.length, sent ? 2 : 0, name)
    t.equal(traceparent.endsWith('-01'), sent, 'the service is told')
    t.ok(traceparent.startsWith(`00-${span.traceId}-`), 'the trace goes on')
  }
})

t.test('what is wrong is told and does no harm', async t => {
  const told: string[] = []
  const warn = (message: string) => { told.push(message) }
  const closed = await startOtlpReceiver(t)
  const traces = (await start({ OTEL_EXPORTER_OTLP_ENDPOINT: closed.url.replace(/\d+$/, '1'), OTEL_EXPORTER_OTLP_TIMEOUT: '300', OTEL_TRACES_SAMPLER: 'sometimes', OTEL_TRACES_SAMPLER_ARG: '7', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, warn))!
  t.match(told, [/grpc/, /OTEL_TRACES_SAMPLER must be one of/, /OTEL_TRACES_SAMPLER_ARG/])
  const span = traces.startServerSpan({ traceparent: 'nonsense', tracestate: '\u0000' })
  t.match(span.traceId, /^[0-9a-f]{32}$/)
  span.startUpstream()
  span.endExchange(record())
  await traces.close()
})
