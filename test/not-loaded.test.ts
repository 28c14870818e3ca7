// What a setting switches on is loaded only where it is set. OpenTelemetry's API
// package is always loaded: the Prometheus client requires it for itself, and has no
// entry point without it.
// Without traces, the client's own trace passes to the service unchanged, and its body too: nobody asks for usage in its name.
import { registerHooks } from 'node:module'
import t from 'tap'

const OPTIONAL = /^(@opentelemetry\/.*|kysely|pg|ioredis)$/

t.test('a gateway without traces, database and Redis', async t => {
  /** Optional package → the packages that asked for it; our own files have no name. */
  const loaded = new Map<string, Set<string | undefined>>()
  registerHooks({
    resolve (specifier, context, nextResolve) {
      const resolved = nextResolve(specifier, context)
      const name = packageOf(resolved.url)
      const asking = packageOf(context.parentURL)
      if (name !== undefined && OPTIONAL.test(name) && name !== asking) loaded.set(name, (loaded.get(name) ?? new Set()).add(asking))
      return resolved
    }
  })
  for (const name of Object.keys(process.env)) if (name.startsWith('OTEL_')) delete process.env[name]
  const { startGateway } = await import('./helper.ts')
  const { startFakeInference } = await import('./fake-inference.ts')
  const service = await startFakeInference()
  t.teardown(() => service.close())
  const { url } = await startGateway(t, { INFERENCE_SERVICE_URL: service.url })
  for (const path of ['/v1/models', '/metrics']) t.equal((await fetch(url + path)).status, 200)
  const trace = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00', tracestate: 'vendor=x,other=y' }
  const body = '{"model":"gemini-1.5-flash","stream":true,"messages":[]}'
  await (await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json', ...trace }, body })).text()
  t.match(service.requests[0]!.headers, trace)
  t.equal(service.requests[0]!.body.toString(), body)
  t.same([...loaded], [['@opentelemetry/api', new Set(['@prometheus-io/client'])]])

  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = 'http://127.0.0.1:1'
  await startGateway(t, { CATALOG_SOURCE: 'database', DATABASE_URL: `sqlite:${t.testdir()}/models.db`, REDIS_URL: 'redis://127.0.0.1:1', RATE_LIMIT: '1000' })
  for (const name of ['@opentelemetry/sdk-trace', 'kysely', 'pg', 'ioredis']) t.ok(loaded.has(name), `the test sees that ${name} is loaded`)
})

function packageOf (url: string | undefined): string | undefined {
  return /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url ?? '')?.[1]
}
