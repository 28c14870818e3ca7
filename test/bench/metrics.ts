/**
 * What counting one chat request costs, against the library's own counters:
 * nanoseconds of CPU.
 *
 *   node test/bench/metrics.ts
 */
import { Counter, Histogram, Registry } from '@prometheus-io/client'
import { SECONDS } from '../../src/telemetry/instruments.ts'
import { GatewayMetrics } from '../../src/telemetry/metrics.ts'

const record = { route: '/v1/chat/completions', operation: 'chat/completions', method: 'POST', requestModel: 'a', responseModel: 'a', outcome: 'complete', phase: 'streaming', status: 200, streamed: true, queueWait: 0, connectTime: 2, firstByteTime: 300, streamTime: 2000, duration: 2500, bytesIn: 100, bytesOut: 2000, usage: { input: 7, output: 21, cachedInput: 2, reasoning: 3 }, pieces: 21, errorCode: undefined, upstreamRequestId: undefined } as const
const none = { open: 0, idle: 0, opened: 0, bodies: 0, bytes: 0, models: 0, age: undefined, refreshes: { success: 0, failure: 0 } }
const metrics = new GatewayMetrics({ state: { inFlight: () => 0, queued: () => 0, upstreamConnections: () => none, spool: () => none, uncounted: () => undefined, catalog: () => none }, knowsModel: () => true, version: '', queueLimit: 0, catalogMaxAge: 0 })

const labels = { gen_ai_operation_name: 'chat', gen_ai_request_model: 'a', gen_ai_response_model: 'a', http_route: '/v1/chat/completions' }
const settings = { help: 'x', labelNames: Object.keys(labels), registers: [new Registry()] }
const histograms = ['a', 'b', 'c', 'd', 'e'].map(name => new Histogram({ ...settings, name, buckets: [...SECONDS] }))
const counters = ['f', 'g', 'h', 'i', 'j', 'k'].map(name => new Counter({ ...settings, name }))

function cost (call: () => void): number {
  let best = Infinity
  for (let round = 0; round < 10; round++) {
    const before = process.cpuUsage()
    for (let i = 0; i < 50_000; i++) call()
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, (user + system) / 50)
  }
  return best
}

console.log(`a request, counted here            ${cost(() => metrics.onExchangeEnd(record)).toFixed(0)} ns`)
console.log(`the same eleven values, the library's ${cost(() => {
  for (const histogram of histograms) histogram.observe(labels, 0.3)
  for (const counter of counters) counter.inc(labels, 7)
}).toFixed(0)} ns`)
process.exit()
