import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { GatewayMetrics, type GatewayState } from '../../src/telemetry/metrics.ts'
import type { ObservedExchange } from '../../src/telemetry/observation.ts'
import { startFakeInference } from '../fake-inference.ts'
import { startGateway, type Teardown, type TestGateway } from '../helper.ts'

/** A gateway at rest. */
export const STATE: GatewayState = {
  inFlight: () => 3,
  queued: () => 2,
  upstreamConnections: () => ({ open: 5, idle: 1, opened: 9 }),
  uncounted: () => 6,
  spool: () => ({ bodies: 1, bytes: 300_000 }),
  catalog: () => ({ models: 2, age: 12, refreshes: { success: 4, failure: 1 } })
}

/** Metrics of a gateway whose catalog has the models `a` and `b`. */
export function testMetrics (): GatewayMetrics {
  return new GatewayMetrics({ state: STATE, knowsModel: id => id === 'a' || id === 'b', version: '1.2.3', queueLimit: 1024, catalogMaxAge: 1800 })
}

/** A streamed chat that went well, but for what is given. */
export function record (fields: Partial<ObservedExchange> = {}): ObservedExchange {
  return {
    route: '/v1/chat/completions',
    operation: 'chat/completions',
    method: 'POST',
    requestModel: 'a',
    responseModel: 'a',
    outcome: 'complete',
    phase: 'streaming',
    status: 200,
    streamed: true,
    queueWait: 0,
    connectTime: 2,
    firstByteTime: 300,
    streamTime: 2000,
    duration: 2500,
    bytesIn: 100,
    bytesOut: 2000,
    usage: { input: 7, output: 21, cachedInput: 2, reasoning: 3 },
    pieces: 21,
    errorCode: undefined,
    upstreamRequestId: undefined,
    ...fields
  }
}

/**
 * A running gateway with an inference service and no Redis behind REDIS_URL, and
 * `load`: requests of each end, so that every metric is counted.
 */
export async function startCounted (t: Teardown): Promise<TestGateway & { load (): Promise<void> }> {
  const service = await startFakeInference()
  t.teardown(() => service.close())
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: service.url, CATALOG_SOURCE: 'inference', RATE_LIMIT: '100000', REDIS_URL: 'redis://127.0.0.1:1' })
  const { url } = gateway
  const chat = async (body: string, headers = {}) => await (await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body })).text()
  const load = async () => {
    await chat('{"stream":true,"stream_options":{"include_usage":true}}')
    await chat('{"stream":true}')
    await assert.rejects(chat('{"stream":true}', { 'x-stand-in-break-after': '2' }), 'a stream that breaks')
    await chat('[]')
    const list = await fetch(`${url}/v1/models`)
    await list.text()
    await fetch(`${url}/v1/models`, { headers: { 'if-none-match': list.headers.get('etag')! } })
  }
  return { ...gateway, load }
}

/** The samples of Prometheus' text format: `name{labels}` → value. */
export function samplesOf (text: string): Map<string, number> {
  return new Map(text.split('\n').filter(line => line !== '' && !line.startsWith('#')).map(line => {
    const space = line.lastIndexOf(' ')
    return [line.slice(0, space), Number(line.slice(space + 1))]
  }))
}

/** Whether Prometheus' own checker is here. In CI it must be. */
export const NO_PROMTOOL = process.env.CI === undefined && spawnSync('promtool', ['--version']).error !== undefined ? 'promtool is not installed (Debian: prometheus)' : false

/** Runs promtool; its exit code and all that it says. */
export function promtool (args: string[], input = ''): { status: number | null, output: string } {
  const { status, stdout, stderr, error } = spawnSync('promtool', args, { input, encoding: 'utf8' })
  return { status, output: error?.message ?? stdout + stderr }
}
