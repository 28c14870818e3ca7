// docs/catalog.md: from static to SQLite to PostgreSQL to inference, the list
// and its tags stay the same, so that clients notice nothing.
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { freshPostgres, postgresMissing } from '../store/engines.ts'
import { startApp, tempDir, tempFile } from './helper.ts'

t.test('moving', { skip: await postgresMissing() }, async t => {
  const tags = async (url: string) => await Promise.all(['/v1/models', '/v1/models?type=image', '/openai/v1/models'].map(async path => (await fetch(url + path)).headers.get('etag')))
  const admin = { headers: { authorization: 'Bearer key' } }

  const fixed = await startApp(t)
  const sqlite = await startApp(t, { ADMIN_API_KEY: 'key', CATALOG_SOURCE: 'database', DATABASE_URL: `sqlite:${join(tempDir(t), 'catalog.db')}` })
  t.same(await tags(sqlite.url), await tags(fixed.url), 'static → SQLite')

  const edited = await fetch(`${sqlite.url}/admin/catalog/order`, { method: 'PUT', headers: { ...admin.headers, 'content-type': 'application/json' }, body: '["flux-pro","sdxl"]' })
  t.equal(edited.status, 200)
  await fetch(`${sqlite.url}/admin/models/gemini-1.5-pro`, { method: 'PATCH', headers: { ...admin.headers, 'content-type': 'application/json' }, body: '{"isActive":false}' })
  const file = tempFile(t, await (await fetch(`${sqlite.url}/admin/catalog/export`, admin)).text())
  const DATABASE_URL = await freshPostgres(t)
  const postgres = await startApp(t, { CATALOG_SOURCE: 'database', DATABASE_URL, CATALOG_FILE: file })
  t.same(await tags(postgres.url), await tags(sqlite.url), 'SQLite → PostgreSQL')
  t.notSame(await tags(postgres.url), await tags(fixed.url))

  const models = postgres.app.modelStore === null ? [] : (await postgres.app.modelStore.contents()).placed
  const service = createServer((_request, response) => response.end(JSON.stringify(models.map(({ record: { id } }) => ({ id })).toSorted((a, b) => a.id < b.id ? -1 : 1)))).listen(0, '127.0.0.1')
  await once(service, 'listening')
  t.teardown(() => { service.closeAllConnections(); service.close() })
  const inference = await startApp(t, { CATALOG_SOURCE: 'inference', DATABASE_URL, INFERENCE_SERVICE_URL: `http://127.0.0.1:${(service.address() as AddressInfo).port}` })
  t.same(await tags(inference.url), await tags(postgres.url), 'PostgreSQL → inference, before the service was read')
  while (inference.app.catalog.status().origin !== 'inference') await delay(5)
  t.same(await tags(inference.url), await tags(postgres.url), 'and after')
})
