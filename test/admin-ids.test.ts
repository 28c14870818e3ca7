// Any id that a service may list can be managed: one that looks like a path or
// like an address of the admin API is percent-encoded by the client, and nothing
// on the way reads it in another way. The actions on the whole catalog are at
// paths that no id can take.
import { once } from 'node:events'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { startApp, tempDir } from './catalog/helper.ts'
import { startGateway } from './helper.ts'

const KEY = 'the-admin-key-of-a-test'

/** The rest of a URL below a gateway's; undefined for one elsewhere. */
const below = (gateway: string, url: string) => url.startsWith(gateway) ? url.slice(gateway.length) : undefined

function client (url: string) {
  return async (method: string, path: string, body?: unknown) => {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${KEY}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      redirect: 'manual'
    })
    const text = await response.text()
    const location = response.headers.get('location')
    return { status: response.status, location: location && below(url, new URL(location, response.url).href), json: text === '' ? undefined : JSON.parse(text) }
  }
}

const settings = (t: Test) => ({ CATALOG_SOURCE: 'database', DATABASE_URL: `sqlite:${join(tempDir(t), 'catalog.db')}`, ADMIN_API_KEY: KEY, CATALOG_SNAPSHOT_FILE: join(tempDir(t), 'snapshot.json') })

/** Creates, reads, patches, orders, exports, imports and deletes a model of that id. */
async function manage (t: Test, call: ReturnType<typeof client>, id: string): Promise<void> {
  const path = `/admin/models/${encodeURIComponent(id)}`
  t.match(await call('POST', '/admin/models', { id, name: 'N', type: 'chat' }), { status: 201, location: path, json: { id } }, id)
  t.match(await call('GET', path), { status: 200, json: { id, name: 'N' } })
  t.match(await call('PATCH', path, { name: 'P' }), { status: 200, json: { id, name: 'P' } })
  t.match(await call('PUT', path, { name: 'R', type: 'chat' }), { status: 200, json: { id, name: 'R' } })
  t.equal((await call('PUT', '/admin/catalog/order', [id, 'gemini-1.5-pro'])).json.includes(id), true)
  const { json: file } = await call('GET', '/admin/catalog/export')
  t.match(await call('POST', '/admin/catalog/import', file), { status: 200, json: { created: 0, updated: 0, deleted: 0 } })
  t.equal((await call('DELETE', path)).status, 204)
  t.equal((await call('GET', path)).status === 200, false)
}

t.test('ids with the names of actions', async t => {
  const { url } = await startApp(t, settings(t))
  const call = client(url)
  for (const id of ['order', 'export', 'import', 'models', 'catalog/order', 'audit']) await manage(t, call, id)
})

t.test('ids that look like paths', async t => {
  const { url } = await startGateway(t, settings(t))
  const call = client(url)
  for (const id of ['/models/x.gguf', '../x', './x', 'a//b', 'C:\\models\\x.gguf', 'a%2Fb', 'x%41y', '%00', 'a/..', '..a', './', 'x/', '/']) await manage(t, call, id)
})

t.test('an id that no client can request is refused, whole imports too', async t => {
  const { url } = await startGateway(t, settings(t))
  const call = client(url)
  const { json: file } = await call('GET', '/admin/catalog/export')
  for (const id of ['.', '..']) {
    t.match(await call('POST', '/admin/models', { id, name: 'N', type: 'chat' }), { status: 400, json: { error: { param: '/id', message: '/id cannot be `.` or `..`, which clients remove from a path.' } } })
    t.match(await call('POST', '/admin/catalog/import', { ...file, chat: [{ id, name: 'N', description: '' }] }), { status: 400, json: { error: { param: '/chat/0/id' } } })
  }
  for (const id of ['', 'a\u0000', 'a\nb', '\ud800', 'x'.repeat(101)]) t.match(await call('POST', '/admin/models', { id, name: 'N', type: 'chat' }), { status: 400, json: { error: { param: /id$/ } } }, JSON.stringify(id))
  t.same((await call('GET', '/admin/catalog/export')).json, file)
})

t.test('the old paths of the actions lead to the new ones, unless a model has that id', async t => {
  const { url } = await startApp(t, settings(t))
  const call = client(url)
  t.match(await call('PUT', '/admin/models/order', ['sdxl', 'flux-pro']), { status: 308, location: '/admin/catalog/order' })
  t.match(await call('GET', '/admin/models/export'), { status: 308, location: '/admin/catalog/export' })
  t.match(await call('POST', '/admin/models/import', {}), { status: 308, location: '/admin/catalog/import' })
  const followed = await fetch(`${url}/admin/models/order`, { method: 'PUT', headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: '["flux-pro","sdxl"]' })
  t.equal(followed.status, 200, 'a client that follows does not notice')
  t.equal((await fetch(`${url}/admin/models/order`, { method: 'PUT' })).status, 401, 'the key comes first')
  t.equal((await call('GET', '/admin/models/order')).status, 404, 'another method is for the model')

  for (const id of ['order', 'export']) await call('POST', '/admin/models', { id, name: id, type: 'chat' })
  t.match(await call('PUT', '/admin/models/order', { name: 'Order', type: 'chat' }), { status: 200, json: { name: 'Order' } })
  t.match(await call('PUT', '/admin/models/order', []), { status: 400 })
  t.match(await call('GET', '/admin/models/export'), { status: 200, json: { id: 'export' } })
})

t.test('behind a reverse proxy that takes a prefix off, addresses lead to the gateway', async t => {
  const { url } = await startApp(t, settings(t))
  const proxy = createServer((request, response) => {
    const { method, headers } = request
    const onward = httpRequest(url + (request.url as string).replace(/^\/gateway/, ''), { method, headers }, answer => {
      response.writeHead(answer.statusCode as number, answer.headers)
      answer.pipe(response)
    })
    request.pipe(onward)
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  t.teardown(() => { proxy.closeAllConnections(); proxy.close() })
  const call = client(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}/gateway`)
  t.match(await call('POST', '/admin/models', { id: 'org/new', name: 'New', type: 'chat' }), { status: 201, location: '/admin/models/org%2Fnew' })
  t.match(await call('PUT', '/admin/models/order', ['sdxl', 'flux-pro']), { status: 308, location: '/admin/catalog/order' })
  t.match(await call('GET', '/admin/models/export'), { status: 308, location: '/admin/catalog/export' })
  t.match(await call('POST', '/admin/models/import', {}), { status: 308, location: '/admin/catalog/import' })
})
