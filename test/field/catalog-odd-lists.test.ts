// Lists as real services send them, with what no list should have: a model twice
// (routers with several deployments), entries that are no models, ids that are
// paths, names with control characters, bodies that are compressed unasked. Each
// model that can be read is listed and can be retrieved; what was skipped is told
// once, in the log and to admins.
import { createServer } from 'node:http'
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { SKIPPED } from '../../src/catalog/reported.ts'
import { startApp } from '../catalog/helper.ts'
import { listen } from '../catalog/service.ts'

const DEFAULTS = { DEFAULT_CHAT_MODEL: 'a', DEFAULT_IMAGE_MODEL: 'a' }

async function gateway (t: Test, answer: () => { body: string | Buffer, headers?: Record<string, string> }) {
  const INFERENCE_SERVICE_URL = await listen(t, createServer((_request, response) => {
    const { body, headers = {} } = answer()
    response.writeHead(200, headers).end(body)
  }))
  const gateway = await startApp(t, { CATALOG_SOURCE: 'inference', INFERENCE_SERVICE_URL, ADMIN_API_KEY: 'admin-key-of-the-test', ...DEFAULTS })
  while (gateway.app.catalog.freshness().origin !== 'inference') await delay(5)
  return gateway
}

const ids = async (url: string) => (await (await fetch(`${url}/v1/models`)).json() as Array<{ id: string }>).map(({ id }) => id)

t.test('what is skipped is told once for each change, and in GET /admin/catalog', async t => {
  let list: unknown[] = [{ id: 'a' }, { id: 'b' }, { id: 'a', name: 'Again' }, { id: 'a' }, null, 'c', { name: 'no id' }, { id: 'x'.repeat(101) }, { id: 'line\nbreak' }, { id: 'e', type: 'embedding' }]
  const { url, log, app } = await gateway(t, () => ({ body: JSON.stringify(list) }))
  t.same(await ids(url), ['a', 'b'])
  const told = () => log.filter(line => line.startsWith('entries of the inference service'))
  t.same(told(), [`entries of the inference service's list are not shown: 2 × ${SKIPPED.repeated}, 2 × ${SKIPPED.noObject}, 2 × ${SKIPPED.noId}, 1 × ${SKIPPED.badId}, 1 × ${SKIPPED.other}`])
  await app.catalog.refresh()
  await app.catalog.refresh()
  t.equal(told().length, 1)
  const status = async () => await (await fetch(`${url}/admin/catalog`, { headers: { authorization: 'Bearer admin-key-of-the-test' } })).json()
  t.match(await status(), { lastError: null, skipped: { count: 8, reasons: { [SKIPPED.repeated]: 2, [SKIPPED.noObject]: 2, [SKIPPED.noId]: 2, [SKIPPED.badId]: 1, [SKIPPED.other]: 1 } } })
  list = [{ id: 'a' }, 5]
  await app.catalog.refresh()
  t.equal(told().length, 2)
  list = [{ id: 'a' }]
  await app.catalog.refresh()
  t.match(await status(), { skipped: { count: 0, reasons: {} } })
})

t.test('control characters and half surrogates never reach a client', async t => {
  const list = [{ id: 'a', name: 'A\u0000\r\nB\u009b', description: `x\ud800\u0007${'y'.repeat(20_000)}`, provider: '\u001b[31mred' }, { id: 'half\udc00' }, { id: 'bell\u0007' }]
  const { url } = await gateway(t, () => ({ body: JSON.stringify(list) }))
  for (const path of ['/v1/models', '/v1/models/a', '/openai/v1/models', '/openai/v1/models/a']) {
    const text = await (await fetch(url + path)).text()
    // eslint-disable-next-line no-control-regex -- exactly these are looked for
    t.notMatch(text, /[\u0000-\u001f\u007f-\u009f]|\\u|\\[nrtb]/)
    t.ok(text.isWellFormed())
  }
  const model = await (await fetch(`${url}/v1/models/a`)).json() as { name: string, description: string }
  t.match(model, { name: 'A B', provider: '[31mred' })
  t.equal(model.description.length, 10_000)
  t.same(await ids(url), ['a'])
})

t.test('a compressed list is read', async t => {
  const body = JSON.stringify([{ id: 'a', description: 'x'.repeat(5000) }])
  for (const [coding, bytes] of Object.entries({ gzip: gzipSync(body), br: brotliCompressSync(body), zstd: zstdCompressSync(body) })) {
    const { url } = await gateway(t, () => ({ body: bytes, headers: { 'content-encoding': coding } }))
    t.same(await ids(url), ['a'], coding)
  }
})
