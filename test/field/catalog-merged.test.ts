// Who says what of a model that an inference service lists: what an admin set
// wins, then what the service says, then the static list fills gaps, then the
// rules of the gateway. Gateways that list all their models without a type are
// told apart by well-known names, unless somebody curated them otherwise.
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createServer } from 'node:http'
import t, { type Test } from 'tap'
import type { CuratedField } from '../../src/catalog/models.ts'
import { SKIPPED } from '../../src/catalog/reported.ts'
import type { ModelDraft } from '../../src/store/records.ts'
import { startApp, tempDir, tempFile } from '../catalog/helper.ts'
import { listen } from '../catalog/service.ts'

/** A gateway whose service lists these models, once it has read them. */
async function gateway (t: Test, models: object[], environment: Record<string, string> = {}) {
  const INFERENCE_SERVICE_URL = await listen(t, createServer((_request, response) => response.end(JSON.stringify({ data: models }))))
  const gateway = await startApp(t, { CATALOG_SOURCE: 'inference', INFERENCE_SERVICE_URL, ...environment })
  while (gateway.app.catalog.freshness().origin !== 'inference') await delay(5)
  return gateway
}

const json = async (url: string): Promise<any> => await (await fetch(url)).json()
const sqlite = (t: Test) => ({ DATABASE_URL: `sqlite:${join(tempDir(t), 'catalog.db')}` })
const draft = (id: string, more: Partial<ModelDraft>): ModelDraft => ({ id, name: `The ${id}`, description: 'Set', type: 'chat', isActive: true, ...more })

t.test('a list without types', async t => {
  const ids = ['gpt-4o', 'whisper-1', 'tts-1-hd', 'text-embedding-3-small', 'dall-e-3', 'omni-moderation-latest', 'BAAI/bge-reranker-v2-m3', 'sora-2']
  const { url, app } = await gateway(t, [...ids, 'gpt-4o'].map(id => ({ id, object: 'model', owned_by: 'system' })))
  t.same(await json(`${url}/v1/models?type=chat`), [{ id: 'gpt-4o', name: 'gpt-4o', description: '', contextLength: 1048576 }])
  t.same((await json(`${url}/v1/models?type=image`) as Array<{ id: string }>).map(({ id }) => id), ['dall-e-3'])
  t.same((await json(`${url}/v1/models?type=speech`) as Array<{ id: string }>).map(({ id }) => id), ['whisper-1', 'tts-1-hd'])
  t.same(app.catalog.status().skipped, { count: 5, reasons: { [SKIPPED.repeated]: 1, [SKIPPED.other]: 4 } })
})

t.test('a curated record overrides what the name says', async t => {
  const file = tempFile(t, JSON.stringify({ chat: [{ id: 'nomic-embed-chat', name: 'It chats', description: '' }], image: [{ id: 'whisper-paint', name: 'It paints', description: '' }] }))
  const { url } = await gateway(t, [{ id: 'nomic-embed-chat' }, { id: 'whisper-paint' }, { id: 'nomic-embed-text' }], { CATALOG_FILE: file })
  t.same((await json(`${url}/openai/v1/models`)).data.map(({ id, type }: { id: string, type: string }) => [id, type]), [['nomic-embed-chat', 'chat'], ['whisper-paint', 'image']])
})

t.test('admin, service, static list, rules: in that order, field by field', async t => {
  const file = tempFile(t, JSON.stringify({ chat: [{ id: 'm', name: 'Static name', description: 'Static description', provider: 'Static provider', contextLength: 1000, capabilities: { tools: true } }] }))
  const { url, app } = await gateway(t, [{ id: 'm', name: 'Service name', description: 'Service description', max_model_len: 2000 }, { id: 'bare' }], { CATALOG_FILE: file, ...sqlite(t) })
  await app.modelStore?.change('ann', () => [draft('m', { name: 'Admin name', set: ['name'] as CuratedField[] })])
  await app.catalog.edited()
  t.match(await json(`${url}/v1/models/m`), { name: 'Admin name', description: 'Service description', contextLength: 2000, provider: 'Static provider', capabilities: { tools: true } })
  const [m, bare] = app.catalog.adminView()
  t.match(m, { listed: true, sources: { name: 'curated', description: 'service', contextLength: 'service', provider: 'static', capabilities: 'static', type: 'static', isActive: 'static' } })
  t.match(bare, { listed: true, record: { id: 'bare', name: 'bare', description: '', type: 'chat', contextLength: 1048576, isActive: true }, sources: { name: 'default', description: 'default', type: 'default', contextLength: 'default', isActive: 'default' } })
})

t.test('what a later static list says shows through a row that an admin made for another field', async t => {
  const database = sqlite(t)
  const before = await gateway(t, [{ id: 'm' }], database)
  await before.app.modelStore?.change('ann', () => [draft('m', { name: 'm', description: '', provider: 'Set', set: ['provider'] as CuratedField[] })])
  const file = tempFile(t, JSON.stringify({ chat: [{ id: 'm', name: 'Named later', description: 'Described later', provider: 'Later' }] }))
  const { url, app } = await gateway(t, [{ id: 'm' }], { CATALOG_FILE: file, ...database })
  t.match(await json(`${url}/v1/models/m`), { name: 'Named later', description: 'Described later', provider: 'Set' })
  t.match(app.catalog.adminView()[0], { sources: { name: 'static', description: 'static', provider: 'curated' } })
})

t.test('all that an admin made wins over the service; a hidden model stays hidden, and is seen by admins', async t => {
  const { url, app } = await gateway(t, [{ id: 'a', name: 'Its name', type: 'chat', capabilities: ['tools'] }, { id: 'b' }, { id: 'c', type: 'embedding' }], sqlite(t))
  await app.modelStore?.change('ann', () => [draft('c', {}), draft('b', { isActive: false, set: ['isActive'] }), draft('gone', {}), draft('a', { type: 'image', capabilities: { input: ['text'] } })])
  await app.catalog.edited()
  t.same(await json(`${url}/v1/models`), [{ id: 'c', name: 'The c', description: 'Set', contextLength: 1048576 }, { id: 'a', name: 'The a', description: 'Set' }])
  t.same((await json(`${url}/v1/models/a`)).capabilities, { input: ['text'] })
  t.same(app.catalog.adminView().map(({ record: { id, isActive }, listed }) => [id, isActive, listed]), [['c', true, true], ['b', false, true], ['gone', true, false], ['a', true, true]])
  t.equal((await fetch(`${url}/v1/models/b`)).status, 404)
})

t.test('what the service states of capabilities reaches clients, and a restart', async t => {
  const INFERENCE_SERVICE_URL = await listen(t, createServer((_request, response) => response.end(JSON.stringify({ data: [{ id: 'm', architecture: { input_modalities: ['text', 'image'], output_modalities: ['text'] }, supported_parameters: ['tools'] }, { id: 'e', type: 'embedding' }] }))))
  const environment = { CATALOG_SOURCE: 'inference', INFERENCE_SERVICE_URL, CATALOG_SNAPSHOT_FILE: join(tempDir(t), 'snapshot.json') }
  const { url, app } = await startApp(t, environment)
  while (app.catalog.freshness().origin !== 'inference') await delay(5)
  const [model] = (await json(`${url}/openai/v1/models`)).data
  t.match(model, { capabilities: { input: ['text', 'image'], output: ['text'], tools: true }, architecture: { input_modalities: ['text', 'image'], output_modalities: ['text'] }, supported_parameters: ['tools'] })
  await app.close()
  const again = await startApp(t, { ...environment, UPSTREAM_CONNECT_TIMEOUT: '1' })
  t.same((await json(`${again.url}/openai/v1/models`)).data, [model])
  t.same(again.log.filter(line => line.includes('snapshot')), [], 'the snapshot is read without complaint')
})
