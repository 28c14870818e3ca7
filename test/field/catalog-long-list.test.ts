// A gateway of gateways lists 10,000 models in 15 MiB. The list is read, in a
// worker thread, and made into answers in slices: meanwhile requests are answered.
import { createServer } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { startApp } from '../catalog/helper.ts'
import { listen } from '../catalog/service.ts'

t.test('10,000 models in 15 MB', async t => {
  const list = Array.from({ length: 10_000 }, (_, index) => ({ id: `org/model-${index}`, name: `Model ${index}`, description: 'x'.repeat(1450) }))
  const body = JSON.stringify({ data: list })
  t.ok(body.length > 15_000_000)
  const INFERENCE_SERVICE_URL = await listen(t, createServer((_request, response) => response.end(body)))
  const { url, app } = await startApp(t, { CATALOG_SOURCE: 'inference', INFERENCE_SERVICE_URL })
  let answered = 0
  while (app.catalog.freshness().origin !== 'inference') {
    t.equal((await fetch(`${url}/v1/models?type=image`)).status, 200)
    answered++
    await delay(5)
  }
  t.ok(answered > 1, 'others are answered meanwhile')
  const served = await (await fetch(`${url}/v1/models`)).json() as Array<{ id: string, description: string }>
  t.equal(served.length, 10_000)
  t.same(served.at(-1), { id: 'org/model-9999', name: 'Model 9999', description: 'x'.repeat(1450), contextLength: 1048576 })
  t.match(app.catalog.status(), { count: 10_000, lastError: null, skipped: { count: 0 } })
})
