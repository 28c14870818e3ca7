// What happens to requests is counted under names and labels that Prometheus takes, and
// the number of series is bounded, whatever clients and services send.
import t from 'tap'
import { INSTRUMENTS, SECONDS } from '../../src/telemetry/instruments.ts'
import { NO_PROMTOOL, promtool, record, samplesOf, testMetrics } from './helper.ts'

const CHAT = 'gen_ai_operation_name="chat",gen_ai_request_model="a",gen_ai_response_model="a",http_route="/v1/chat/completions"'

t.test('one streamed chat', async t => {
  const metrics = testMetrics()
  metrics.onExchangeEnd(record())
  const samples = samplesOf(await metrics.text('prometheus'))
  const expected: Record<string, number> = {
    [`gen_ai_client_operation_duration_seconds_count{${CHAT},error_type=""}`]: 1,
    [`gen_ai_client_operation_duration_seconds_sum{${CHAT},error_type=""}`]: 2.5,
    [`gen_ai_client_operation_duration_seconds_bucket{${CHAT},error_type="",le="1.28"}`]: 0,
    [`gen_ai_client_operation_duration_seconds_bucket{${CHAT},error_type="",le="2.56"}`]: 1,
    [`gen_ai_client_operation_duration_seconds_bucket{${CHAT},error_type="",le="+Inf"}`]: 1,
    [`gen_ai_client_operation_time_to_first_chunk_seconds_sum{${CHAT}}`]: 0.3,
    [`gen_ai_client_operation_time_per_output_chunk_seconds_count{${CHAT}}`]: 20,
    [`gen_ai_client_operation_time_per_output_chunk_seconds_sum{${CHAT}}`]: 2,
    [`gen_ai_client_inference_usage_input_tokens_total{${CHAT}}`]: 7,
    [`gen_ai_client_inference_usage_output_tokens_total{${CHAT}}`]: 21,
    [`gen_ai_client_inference_usage_cache_read_input_tokens_total{${CHAT}}`]: 2,
    [`gen_ai_client_inference_usage_reasoning_output_tokens_total{${CHAT}}`]: 3,
    'gateway_request_body_bytes_total{http_route="/v1/chat/completions"}': 100,
    'gateway_response_body_bytes_total{http_route="/v1/chat/completions"}': 2000,
    gateway_queue_wait_seconds_count: 1,
    'gateway_upstream_connect_seconds_bucket{le="0.01"}': 1,
    'gateway_clients_left_total{phase="streaming"}': 0,
    gateway_requests_in_flight: 3,
    gateway_requests_queued: 2,
    'gateway_upstream_connections{state="used"}': 4,
    'gateway_upstream_connections{state="idle"}': 1,
    gateway_upstream_connections_opened_total: 9,
    gateway_rate_limit_uncounted_requests_total: 6,
    gateway_spooled_bodies: 1,
    gateway_spooled_bytes: 300_000,
    gateway_catalog_models: 2,
    gateway_catalog_age_seconds: 12,
    'gateway_catalog_refreshes_total{result="failure"}': 1,
    'gateway_build_info{version="1.2.3"}': 1
  }
  for (const [name, value] of Object.entries(expected)) t.equal(samples.get(name), value, name)
  t.ok(samples.has('process_resident_memory_bytes') && samples.has('nodejs_eventloop_lag_p99_seconds') && samples.has('nodejs_heap_size_used_bytes'), 'Node\'s own')
})

t.test('how it ended', async t => {
  const metrics = testMetrics()
  metrics.onExchangeEnd(record({ outcome: 'client-left', phase: 'waiting' }))
  metrics.onExchangeEnd(record({ outcome: 'broken', errorCode: 'upstream_timeout' }))
  metrics.onExchangeEnd(record({ outcome: 'refused', phase: 'queued', errorCode: 'overloaded', status: 503 }))
  metrics.onExchangeEnd(record({ status: 429, streamed: false }))
  metrics.onExchangeEnd(record({ status: 477, streamed: false }))
  metrics.onRefused('headers_too_large')
  const samples = samplesOf(await metrics.text('prometheus'))
  const errors = [...samples.keys()].map(name => /^gen_ai_client_operation_duration_seconds_count.*error_type="(.*)"/.exec(name)?.[1]).filter(type => type !== undefined)
  t.same(errors.toSorted(), ['429', '4xx', 'client_left', 'overloaded', 'upstream_timeout'])
  t.equal(samples.get('gateway_clients_left_total{phase="waiting"}'), 1)
  t.equal(samples.get('gateway_streams_broken_total{reason="upstream_timeout"}'), 1)
  t.equal(samples.get('gateway_requests_refused_total{code="overloaded"}'), 1)
  t.equal(samples.get('gateway_requests_refused_total{code="headers_too_large"}'), 1)
})

t.test('an answer of which tokens are expected, and that states none', async t => {
  const metrics = testMetrics()
  const without = record({ usage: undefined })
  metrics.onExchangeEnd(without)
  metrics.onExchangeEnd({ ...without, status: 500 })
  metrics.onExchangeEnd({ ...without, outcome: 'broken', errorCode: 'upstream_failed' })
  metrics.onExchangeEnd({ ...without, operation: 'audio/speech', route: '/v1/audio/speech' })
  const samples = samplesOf(await metrics.text('prometheus'))
  t.same([...samples].filter(([name]) => name.startsWith('gateway_answers_without_usage_total')), [['gateway_answers_without_usage_total{gen_ai_request_model="a",http_route="/v1/chat/completions"}', 1]])
})

t.test('what clients and services make up makes no series', async t => {
  const metrics = testMetrics()
  const send = (i: number) => {
    metrics.onExchangeEnd(record({ requestModel: `made-up-${i}`, responseModel: `answered-${i}`, upstreamRequestId: `id-${i}` }))
    metrics.onExchangeEnd(record({ requestModel: null, status: 400 + i % 200 }))
    metrics.onAnswer(undefined, `METHOD${i}`, 404)
  }
  for (let i = 0; i < 1000; i++) send(i)
  const before = samplesOf(await metrics.text('prometheus'))
  for (let i = 1000; i < 101_000; i++) send(i)
  const after = samplesOf(await metrics.text('prometheus'))
  const own = (samples: Map<string, number>) => [...samples.keys()].filter(name => /^(gen_ai|gateway)_/.test(name))
  t.same(own(after), own(before))
  t.equal(after.get('gateway_http_requests_total{http_route="unknown",http_request_method="_OTHER",http_response_status_code="404"}'), 101_000)
  t.notMatch([...after.keys()].join('\n'), /made-up|answered-|id-\d|METHOD/)
})

t.test('both formats, one after the other, in any order', async t => {
  const metrics = testMetrics()
  metrics.onExchangeEnd(record())
  const first = await metrics.text('prometheus')
  const open = await metrics.text('openmetrics')
  const again = await metrics.text('prometheus')
  const names = (text: string) => [...samplesOf(text).keys()].filter(name => /^(gen_ai|gateway)_|^process_cpu/.test(name))
  t.same(names(again), names(first))
  t.same(names(open), names(first), 'the same samples')
  t.match(open, /# TYPE gateway_clients_left counter\n/)
  t.match(open, /# EOF\n$/)
  t.notMatch(open + again, /_total_total/)
})

t.test('instruments are named as Prometheus wants it', async t => {
  t.equal(SECONDS[0], 0.01)
  t.ok(SECONDS.at(-1)! >= 655)
  t.ok(SECONDS.every((bound, i) => i === 0 || Math.abs(bound - 2 * SECONDS[i - 1]!) < 1e-9))
  for (const { name, kind, unit, buckets } of Object.values<typeof INSTRUMENTS[keyof typeof INSTRUMENTS] & { buckets?: readonly number[] }>(INSTRUMENTS)) {
    t.equal(name.endsWith('_total'), kind === 'counter', name)
    t.equal(buckets !== undefined, kind === 'histogram', name)
    if (unit === 'seconds' || unit === 'bytes') t.match(name, unit, name)
  }
})

t.test('promtool finds nothing to say', { skip: NO_PROMTOOL }, async t => {
  const metrics = testMetrics()
  metrics.onExchangeEnd(record())
  metrics.onExchangeEnd(record({ outcome: 'broken', errorCode: 'upstream_failed' }))
  metrics.onAnswer('/v1/models', 'GET', 304)
  t.same(promtool(['check', 'metrics'], await metrics.text('prometheus')), { status: 0, output: '' })
})
