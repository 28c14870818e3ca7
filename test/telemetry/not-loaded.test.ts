// Where no OTLP endpoint is set, nothing of OpenTelemetry's SDK is loaded: only the API
// package, which the Prometheus client requires and which does nothing by itself.
import { registerHooks } from 'node:module'
import t from 'tap'

t.test('only the API package', async t => {
  const loaded = new Set<string>()
  registerHooks({
    load (url, context, nextLoad) {
      const name = /node_modules\/(@opentelemetry\/[^/]+)\//.exec(url)?.[1]
      if (name !== undefined) loaded.add(name)
      return nextLoad(url, context)
    }
  })
  for (const name of Object.keys(process.env)) if (name.startsWith('OTEL_')) delete process.env[name]
  await import('../../src/app.ts')
  const { GatewayMetrics } = await import('../../src/telemetry/metrics.ts')
  t.ok(GatewayMetrics)
  const { startTraces } = await import('../../src/telemetry/traces.ts')
  const options = { upstream: 'http://x', version: '1', warn: () => {} }
  t.equal(await startTraces({ environment: {}, ...options }), undefined)
  t.same([...loaded], ['@opentelemetry/api'])
  const traces = await startTraces({ environment: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' }, ...options })
  t.ok(loaded.has('@opentelemetry/sdk-trace'), 'the test sees what is loaded')
  await traces?.close()
})
