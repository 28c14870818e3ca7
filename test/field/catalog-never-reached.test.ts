// An inference service that never answers with its list: the curated list stands
// in, and everything says so. Once the service has answered, default models that
// it does not list are named.
import { createServer, type ServerResponse } from 'node:http'
import { mock } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { join } from 'node:path'
import t from 'tap'
import { startApp, tempDir } from '../catalog/helper.ts'
import { listen } from '../catalog/service.ts'

const MINUTES = 60_000

t.test('warned of at the start and every few minutes, until it answers', async t => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  let answer = (response: ServerResponse) => { response.writeHead(503).end() }
  const INFERENCE_SERVICE_URL = await listen(t, createServer((_request, response) => answer(response)))
  const { app, url, log } = await startApp(t, { CATALOG_SOURCE: 'inference', INFERENCE_SERVICE_URL })
  while (log.length === 0) await delay(5)
  t.match(log[0], 'the catalog could not be read (inference); the curated list is used until it answers')
  const response = await fetch(`${url}/v1/models`)
  t.equal(response.headers.get('cache-status'), 'model-gateway; hit; detail=curated')
  t.equal(response.headers.get('age'), null)
  t.equal((await response.json() as unknown[]).length, 7)
  t.match(app.catalog.status(), { source: 'inference', origin: 'curated', lastSuccess: null, lastError: { message: 'The inference service has no list of models: /models answers 503; /v1/models answers 503.' } })

  const reminders = () => log.filter(line => line === 'the inference service has not answered with its list since the start; the curated list is used until it answers').length
  t.equal(reminders(), 0)
  mock.timers.tick(5 * MINUTES)
  t.equal(reminders(), 1)
  mock.timers.tick(5 * MINUTES)
  t.equal(reminders(), 2)
  t.notOk(log.some(line => line.startsWith('DEFAULT_')), 'nothing is known yet of what it lists')

  answer = response => { response.end('[{"id":"only"}]') }
  await app.catalog.refresh()
  t.match(log.filter(line => line.startsWith('DEFAULT_')), [
    'DEFAULT_CHAT_MODEL names the model \'gemini-1.5-flash\', which the inference service does not list',
    'DEFAULT_IMAGE_MODEL names the model \'sdxl\', which the inference service does not list'
  ])
  mock.timers.tick(15 * MINUTES)
  t.equal(reminders(), 2)
  t.match(app.catalog.status(), { origin: 'inference', lastError: null, lastFailure: { message: /503/ } })
})

t.test('the list of the last run says so too', async t => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  let isUp = true
  const INFERENCE_SERVICE_URL = await listen(t, createServer((_request, response) => isUp ? response.end('[{"id":"m"}]') : response.destroy()))
  const environment = { CATALOG_SOURCE: 'inference', INFERENCE_SERVICE_URL, CATALOG_SNAPSHOT_FILE: join(tempDir(t), 'snapshot.json') }
  const first = await startApp(t, environment)
  while (first.app.catalog.freshness().origin !== 'inference') await delay(5)
  await first.app.close()
  isUp = false
  const { log } = await startApp(t, environment)
  while (!log.some(line => line.startsWith('the catalog could not be read'))) await delay(5)
  mock.timers.tick(5 * MINUTES)
  t.ok(log.includes('the catalog could not be read (inference); the list of the last run is used until it answers'))
  t.ok(log.includes('the inference service has not answered with its list since the start; the list of the last run is used until it answers'))
})
