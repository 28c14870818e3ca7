// A request to read the sources again reaches every gateway that shares the
// database, by notice or by asking for the revision.
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { ENGINES } from '../store/engines.ts'
import { startApp } from './helper.ts'

const KEY = 'the-admin-key-of-a-test'

for (const { engine, skip, freshUrl } of ENGINES) {
  t.test(engine, { skip }, async t => {
    let ids = ['a']
    let hits = 0
    const service = createServer((_request, response) => {
      hits++
      response.end(JSON.stringify(ids.map(id => ({ id }))))
    }).listen(0, '127.0.0.1')
    await once(service, 'listening')
    t.teardown(() => { service.closeAllConnections(); service.close() })
    const DATABASE_URL = await freshUrl(t)
    const start = async () => await startApp(t, { CATALOG_SOURCE: 'inference', INFERENCE_SERVICE_URL: `http://127.0.0.1:${(service.address() as AddressInfo).port}`, DATABASE_URL, ADMIN_API_KEY: KEY })
    const gateways = [await start(), await start()]
    const list = async (url: string) => ((await (await fetch(`${url}/v1/models`)).json()) as Array<{ id: string }>).map(({ id }) => id).join()
    const until = async (url: string, wanted: string) => { while (await list(url) !== wanted) await delay(20) }
    for (const { url } of gateways) await until(url, 'a')
    // Each has seen the state of the database once.
    await delay(engine === 'SQLite' ? 1200 : 300)

    ids = ['a', 'b']
    const before = hits
    const [first, second] = gateways as [typeof gateways[0], typeof gateways[0]]
    t.equal((await fetch(`${first.url}/admin/catalog/refresh`, { method: 'POST', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' } })).status, 200)
    t.equal(await list(first.url), 'a,b')
    await until(second.url, 'a,b')
    await delay(1500)
    t.equal(hits, before + 2, 'each has asked once')

    const hidden = await fetch(`${first.url}/admin/models/b`, { method: 'PATCH', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: '{"isActive":false}' })
    t.equal(hidden.status, 200, 'one PATCH hides a model that only the service names')
    await until(second.url, 'a')
  })
}
