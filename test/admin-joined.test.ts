// The admin API over an inference service with a database: it shows what the
// service lists joined with what is curated, and where each field comes from.
// What an admin sets wins; what an admin empties is the service's again. Whatever
// is shown can be renamed, hidden, ordered, exported and imported.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { startApp, tempFile } from './catalog/helper.ts'
import { byHand, ENGINES } from './store/engines.ts'

const KEYS = { ada: 'the-admin-key-of-ada', bob: 'the-admin-key-of-bob' }

const CURATED = { chat: [{ id: 'known', name: 'Known', description: 'From the file', contextLength: 1000 }, { id: 'unlisted', name: 'Unlisted', description: '' }] }

for (const { engine, skip, freshUrl } of ENGINES) {
  t.test(engine, { skip }, async t => {
    const start = async (t: Test) => {
      const service = { models: [{ id: 'known', context_length: 2000 }, { id: 'only/theirs', name: 'Theirs', description: 'As they say', context_length: 4096 }, { id: 'pic', type: 'image', name: 'Pic' }] as object[] }
      const server = createServer((_request, response) => response.end(JSON.stringify(service.models))).listen(0, '127.0.0.1')
      await once(server, 'listening')
      t.teardown(() => { server.closeAllConnections(); server.close() })
      const database = await freshUrl(t)
      const { url, app } = await startApp(t, {
        CATALOG_SOURCE: 'inference',
        INFERENCE_SERVICE_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        DATABASE_URL: database,
        CATALOG_FILE: tempFile(t, JSON.stringify(CURATED)),
        ADMIN_API_KEY: `ada:${KEYS.ada},bob:${KEYS.bob}`
      })
      while (app.catalog.status().origin !== 'inference') await delay(5)
      const call = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
        const response = await fetch(url + path, { method, headers: { authorization: `Bearer ${KEYS.ada}`, ...(body !== undefined && { 'content-type': 'application/json' }), ...headers }, ...(body !== undefined && { body: JSON.stringify(body) }) })
        const text = await response.text()
        return { status: response.status, etag: response.headers.get('etag') as string, json: text === '' ? undefined : JSON.parse(text) }
      }
      const listed = async () => (await call('GET', '/v1/models')).json.map(({ id }: { id: string }) => id)
      return { call, listed, service, database }
    }
    const path = '/admin/models/only%2Ftheirs'

    t.test('what is shown, and from where', async t => {
      const { call } = await start(t)
      const { json } = await call('GET', '/admin/models')
      t.same(json.data.map(({ id }: { id: string }) => id), ['known', 'unlisted', 'only/theirs', 'pic'])
      t.match(json.data, [
        { id: 'known', name: 'Known', contextLength: 2000, listed: true, sources: { name: 'static', description: 'static', contextLength: 'service' } },
        { id: 'unlisted', listed: false, sources: { name: 'static' } },
        { id: 'only/theirs', name: 'Theirs', contextLength: 4096, listed: true, sources: { name: 'service', contextLength: 'service', type: 'default' } },
        { id: 'pic', type: 'image', listed: true }
      ])
    })

    t.test('a PATCH on a model that only the service names', async t => {
      const { call, listed, service } = await start(t)
      const { etag } = await call('GET', path)
      const changed = await call('PATCH', path, { name: 'Ours' }, { 'if-match': etag })
      t.match(changed, { status: 200, json: { id: 'only/theirs', name: 'Ours', description: 'As they say', contextLength: 4096, sources: { name: 'curated', description: 'service', contextLength: 'service' } } })
      t.equal((await call('PATCH', path, { name: 'Late' }, { 'if-match': etag })).status, 412)
      t.equal((await call('GET', path)).etag, changed.etag)
      t.match((await call('GET', '/v1/models/only%2Ftheirs')).json, { name: 'Ours', description: 'As they say', contextLength: 4096 })

      service.models = service.models.map(model => ({ ...model, context_length: 8192, description: 'News' }))
      await call('POST', '/admin/catalog/refresh')
      t.match((await call('GET', '/v1/models/only%2Ftheirs')).json, { name: 'Ours', description: 'News', contextLength: 8192 }, 'what was not set follows the service')

      t.match(await call('PATCH', path, { name: null, contextLength: 77 }), { status: 200, json: { name: 'Theirs', contextLength: 77, sources: { name: 'service', contextLength: 'curated' } } })
      const [entry] = (await call('GET', '/admin/audit?limit=1', undefined, { authorization: `Bearer ${KEYS.bob}` })).json.data
      t.match(entry, { who: 'ada', action: 'update', modelId: 'only/theirs' })

      t.equal((await call('PATCH', path, { isActive: false }, { authorization: `Bearer ${KEYS.bob}` })).status, 200, 'hiding is one PATCH')
      t.same(await listed(), ['known', 'pic'])
      t.match((await call('GET', '/admin/audit?limit=1')).json.data, [{ who: 'bob' }])

      t.equal((await call('DELETE', path, undefined, { 'content-type': 'application/json' })).status, 204)
      t.match((await call('GET', path)).json, { name: 'Theirs', isActive: true, contextLength: 8192 }, 'without its record the model is as the service says')
      t.match(await call('DELETE', path), { status: 409, json: { error: { message: /cannot be removed\. Hide it with/ } } })
    })

    t.test('a field that nobody set is of the static list only where that has its value', async t => {
      const { call } = await start(t)
      const sourcesOf = async (id: string) => {
        const [one, all] = [await call('GET', `/admin/models/${encodeURIComponent(id)}`), await call('GET', '/admin/models')]
        t.same(all.json.data.find((model: { id: string }) => model.id === id), one.json, 'the same in the list')
        return one.json.sources
      }
      const theirs = { description: 'service', type: 'default', contextLength: 'service', isActive: 'default' }
      const patched = { name: 'curated', ...theirs }
      t.same((await call('PATCH', path, { name: 'S' })).json.sources, patched)
      t.same(await sourcesOf('only/theirs'), patched)
      t.same((await call('PATCH', path, { name: null })).json.sources, { name: 'service', ...theirs })

      const made = { name: 'curated', description: 'default', type: 'curated', contextLength: 'default', isActive: 'default' }
      t.same((await call('POST', '/admin/models', { id: 'new', name: 'New', type: 'chat' })).json.sources, made)
      t.same(await sourcesOf('new'), made)

      const fromFile = { name: 'static', description: 'static', type: 'static', isActive: 'static' }
      t.match(await sourcesOf('unlisted'), fromFile)
      t.match((await call('PATCH', '/admin/models/unlisted', { description: 'Ours' })).json.sources, { ...fromFile, description: 'curated' })
    })

    t.test('capabilities: set, merged, emptied, never in the bare list', async t => {
      const { call } = await start(t)
      const patch = async (capabilities: unknown) => (await call('PATCH', path, { capabilities })).json.capabilities
      t.same(await patch({ input: ['text', 'image'], tools: true }), { input: ['text', 'image'], tools: true })
      t.same(await patch({ tools: null, reasoning: true }), { input: ['text', 'image'], reasoning: true }, 'a nested null empties one')
      t.same((await call('GET', '/v1/models/only%2Ftheirs')).json.capabilities, { input: ['text', 'image'], reasoning: true })
      t.notMatch(JSON.stringify((await call('GET', '/v1/models')).json), 'capabilities')
      t.same((await call('GET', '/admin/catalog/export')).json.chat.find(({ id }: { id: string }) => id === 'only/theirs').capabilities, { input: ['text', 'image'], reasoning: true })
      t.equal(await patch({ input: null, reasoning: null }), undefined, 'what is left of nothing is nothing')
    })

    t.test('a record that is put back as it was read sets nothing', async t => {
      const { call, service } = await start(t)
      const { json } = await call('GET', path)
      t.equal((await call('PUT', path, json)).status, 200)
      t.equal((await call('PUT', path, { ...json, description: 'Mine' })).status, 200)
      service.models = service.models.map(model => ({ ...model, name: 'Renamed by them', description: 'News' }))
      await call('POST', '/admin/catalog/refresh')
      t.match((await call('GET', path)).json, { name: 'Renamed by them', description: 'Mine' })
    })

    t.test('pages hold every model, whatever its row says of type and position', async t => {
      const { call, service, database } = await start(t)
      await call('PATCH', '/admin/models/pic', { name: 'Ours' })
      await call('POST', '/admin/models', { id: 'new', name: 'New', type: 'chat' })
      // The row of `pic` is that of an image model, before the one of `new`.
      service.models = service.models.map(model => ({ ...model, type: 'chat' }))
      await byHand(database, "insert into models (id, name) values ('by-hand', 'By hand')")
      await call('POST', '/admin/catalog/refresh')
      const ids = ({ data }: { data: Array<{ id: string }> }) => data.map(({ id }) => id)
      const all = ids((await call('GET', '/admin/models')).json)
      t.same(all, ['known', 'unlisted', 'new', 'by-hand', 'pic', 'only/theirs'])
      const paged: string[] = []
      for (let cursor: string | null = ''; cursor !== null;) {
        const { json } = await call('GET', `/admin/models?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`)
        paged.push(...ids(json))
        cursor = json.next
      }
      t.same(paged, all)
    })

    t.test('order, export and import', async t => {
      const { call, listed } = await start(t)
      t.match(await call('POST', '/admin/models', { id: 'only/theirs', name: 'X', type: 'chat' }), { status: 409, json: { error: { message: /listed by the inference service/ } } })
      t.equal((await call('PUT', '/admin/catalog/order', ['only/theirs', 'known'])).status, 200)
      t.same(await listed(), ['only/theirs', 'known', 'pic'])
      const before = (await call('GET', '/admin/models')).json
      const { json: file } = await call('GET', '/admin/catalog/export')
      t.same(file.chat.map(({ id }: { id: string }) => id), ['only/theirs', 'unlisted', 'known'])
      t.match((await call('POST', '/admin/catalog/import', file)).json, { created: 0, updated: 0, deleted: 0, unchanged: 4 })
      t.same((await call('GET', '/admin/models')).json, before, 'importing what was exported changes nothing')
      file.image[0].name = 'Picture'
      t.match((await call('POST', '/admin/catalog/import', file)).json, { created: 1, updated: 0, deleted: 0 })
      t.match((await call('GET', '/admin/models/pic')).json, { name: 'Picture', sources: { name: 'curated' } })
    })
  })
}
