// The catalog behind each source: what the list says while the source is not
// there yet, slow, lying or gone, and that it catches up by itself.
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { ModelDraft } from '../../src/store/records.ts'
import { freshPostgres, postgresMissing, wired } from '../store/engines.ts'
import { buildApp, startApp, tempDir, tempFile } from './helper.ts'

const noPostgres = await postgresMissing()
const BUILT_IN_IDS = ['gemini-2.5-flash-preview-04-17', 'gemini-1.5-pro', 'gemini-1.5-flash', 'sdxl', 'sdxl-lightning', 'flux-schnell', 'flux-pro']

/** An inference service whose answer can be changed; it refuses connections until `up`. */
async function service (t: Test) {
  let answer: (response: ServerResponse) => void = () => {}
  let hits = 0
  const server: Server = createServer((_request, response) => { hits++; answer(response) })
  const listen = async (port: number) => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  const down = async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  const port = await listen(0)
  t.teardown(async () => { if (server.listening) await down() })
  return {
    url: `http://127.0.0.1:${port}`,
    hits: () => hits,
    answers: (next: typeof answer) => { answer = next },
    lists: (...ids: string[]) => { answer = response => response.end(JSON.stringify(ids.map(id => ({ id })))) },
    down,
    up: async () => await listen(port)
  }
}

async function list (url: string): Promise<{ ids: string[], status: string, age: number | undefined }> {
  const response = await fetch(`${url}/v1/models`)
  const age = response.headers.get('age')
  return { ids: (await response.json() as Array<{ id: string }>).map(({ id }) => id), status: response.headers.get('cache-status') as string, age: age === null ? undefined : Number(age) }
}

/** Asks until the list is that one; the test's own time limit is the bound. */
async function becomes (url: string, ids: string[]): Promise<void> {
  while ((await list(url)).ids.join() !== ids.join()) await delay(10)
}

t.test('the static list has no age', async t => {
  const { url } = await startApp(t)
  t.same(await list(url), { ids: BUILT_IN_IDS, status: 'model-gateway; hit; detail=static', age: undefined })
})

t.test('inference: the curated list until the service is there; then what it reports', async t => {
  const { url: inference, down, up, lists } = await service(t)
  lists('gemini-1.5-flash', 'x/new', 'sdxl')
  await down()
  const { url, app, log } = await startApp(t, { CATALOG_SOURCE: 'inference', INFERENCE_SERVICE_URL: inference })
  t.same(await list(url), { ids: BUILT_IN_IDS, status: 'model-gateway; hit; detail=curated', age: undefined })
  while (app.catalog.status().lastError === null) await delay(5)
  t.match(app.catalog.status(), { source: 'inference', origin: 'curated', count: 7, lastSuccess: null, lastError: { message: 'The inference service cannot be used (ECONNREFUSED).' }, nextTry: String })
  t.match(log, ['the catalog could not be read (inference); the curated list is used until it answers'])
  await up()
  await becomes(url, ['gemini-1.5-flash', 'x/new', 'sdxl'])
  t.match((await list(url)).status, /^model-gateway; hit; ttl=1(800|799); detail=inference$/)
  const models = await (await fetch(`${url}/v1/models`)).json()
  t.same(models, [
    { id: 'gemini-1.5-flash', name: 'Gemini 1.5 Flash', description: 'Fast and efficient for most tasks', contextLength: 1048576 },
    { id: 'x/new', name: 'x/new', description: '', contextLength: 1048576 },
    { id: 'sdxl', name: 'Stable Diffusion XL', description: 'High-quality image generation', provider: 'StabilityAI' }
  ])
})

t.test('inference: a lie never replaces the good copy', async t => {
  const { url: inference, lists, answers, hits } = await service(t)
  lists('a', 'b')
  const { url, app } = await startApp(t, { CATALOG_SOURCE: 'inference', INFERENCE_SERVICE_URL: inference, MODEL_CACHE_TIMEOUT: '0' })
  await becomes(url, ['a', 'b'])
  for (const lie of ['<html>', '{"data":[]}', '[{"id":""},{"id":5}]', '{"error":{"message":"no"}}', '[{"id":"text-embedding-3-small"}]']) {
    answers(response => response.end(lie))
    const before = hits()
    await app.catalog.refresh()
    t.ok(hits() > before)
    t.same((await list(url)).ids, ['a', 'b'], lie)
    t.match(app.catalog.status(), { lastError: { message: /^The inference service has no list of models: / } }, lie)
  }
  const { lastError } = app.catalog.status()
  lists('c')
  await becomes(url, ['c'])
  t.match(app.catalog.status(), { lastError: null, lastFailure: lastError as object }, 'a success clears the error, and keeps it as the last failure')
})

t.test('a stale copy is answered at once, and refreshed behind the answer, once for all', async t => {
  const { url: inference, lists, answers, hits } = await service(t)
  lists('old')
  const { url } = await startApp(t, { CATALOG_SOURCE: 'inference', INFERENCE_SERVICE_URL: inference, MODEL_CACHE_TIMEOUT: '0.3' })
  await becomes(url, ['old'])
  const before = hits()
  await list(url)
  t.equal(hits(), before, 'a fresh copy needs no refresh')
  await delay(350)
  t.equal(hits(), before, 'nor does one for which nobody asks')
  let release: (() => void) | undefined
  answers(response => { release = () => response.end('[{"id":"new"}]') })
  for (const { ids } of await Promise.all(Array.from({ length: 50 }, async () => await list(url)))) t.same(ids, ['old'])
  t.match(await list(url), { ids: ['old'], status: /ttl=(0|-\d+); detail=inference$/ })
  t.equal(hits(), before + 1, 'one refresh')
  release?.()
  await becomes(url, ['new'])
})

t.test('a clock that is set back makes every copy stale, not fresh for longer', async t => {
  const { url: inference, lists, hits } = await service(t)
  lists('a')
  const { url } = await startApp(t, { CATALOG_SOURCE: 'inference', INFERENCE_SERVICE_URL: inference })
  await becomes(url, ['a'])
  const before = hits()
  const real = Date.now
  t.teardown(() => { Date.now = real })
  const day = 24 * 3600 * 1000
  Date.now = () => real() - day
  t.same(await list(url), { ids: ['a'], status: 'model-gateway; hit; ttl=0; detail=inference', age: 0 })
  for (let tries = 0; hits() === before && tries < 200; tries++) await delay(10)
  t.equal(hits(), before + 1, 'refreshed behind that answer')
  await delay(50)
  Date.now = () => real() - day + 2000
  t.match((await list(url)).status, /ttl=17[89]\d;/, 'and ages from then on')
  t.equal(hits(), before + 1)
})

t.test('retries come ever more rarely', async t => {
  const { url: inference, answers, hits } = await service(t)
  answers(response => { response.statusCode = 500; response.end() })
  const { app, url } = await startApp(t, { CATALOG_SOURCE: 'inference', INFERENCE_SERVICE_URL: inference, MODEL_CACHE_TIMEOUT: '0' })
  const pauses: number[] = []
  let known: string | null = null
  while (pauses.length < 3) {
    const { lastError, nextTry } = app.catalog.status()
    if (lastError !== null && nextTry !== null && nextTry !== known) {
      pauses.push(Date.parse(nextTry) - Date.parse(lastError.at))
      known = nextTry
    }
    await list(url)
    await delay(5)
  }
  for (const [index, pause] of pauses.entries()) t.ok(pause >= 250 * 2 ** index && pause <= 500 * 2 ** index, `pause ${index}: ${pause} ms`)
  t.ok(hits() <= 8, 'two addresses a try; requests in between do not press the service')
})

t.test('the last good list outlives a restart with a dead service', async t => {
  const { url: inference, lists, down } = await service(t)
  lists('kept')
  const snapshot = join(tempDir(t), 'deep', 'snapshot.json')
  const environment = { CATALOG_SOURCE: 'inference', INFERENCE_SERVICE_URL: inference, CATALOG_SNAPSHOT_FILE: snapshot }
  const first = await startApp(t, environment)
  await becomes(first.url, ['kept'])
  // What is being written is waited for.
  await first.app.close()
  await down()
  t.match(await list((await startApp(t, environment)).url), { ids: ['kept'], status: /detail=snapshot$/, age: Number })
  t.same((await list((await startApp(t, { ...environment, INFERENCE_SERVICE_URL: 'http://127.0.0.1:1' })).url)).ids, BUILT_IN_IDS, 'another service\'s list is of no use')
  const content = JSON.parse(readFileSync(snapshot, 'utf8'))
  t.notMatch(JSON.stringify(content), new URL(inference).port, 'no address in the file')
  for (const bad of ['', '{"format":1,"reported":{', '{"format":2}', JSON.stringify({ ...content, reported: { ...content.reported, value: [{ id: 5 }] } })]) {
    writeFileSync(snapshot, bad)
    const { url, log } = await startApp(t, environment)
    t.same((await list(url)).ids, BUILT_IN_IDS)
    t.match(log, [/snapshot cannot be used/])
  }
})

t.test('a snapshot that cannot be written is a warning', async t => {
  const { url: inference, lists } = await service(t)
  lists('a')
  const { url, log } = await startApp(t, { CATALOG_SOURCE: 'inference', INFERENCE_SERVICE_URL: inference, CATALOG_SNAPSHOT_FILE: join(tempFile(t, ''), 'snapshot.json') })
  await becomes(url, ['a'])
  while (!log.some(line => line.includes('snapshot'))) await delay(5)
})

const draft = (id: string, more: Partial<ModelDraft> = {}): ModelDraft => ({ id, name: `The ${id}`, description: '', type: 'chat', isActive: true, ...more })

t.test('database: filled from the static list; an edit of this process shows with the next request', async t => {
  const file = join(tempDir(t), 'data', 'catalog.db')
  const { url, app } = await startApp(t, { CATALOG_SOURCE: 'database', DATABASE_URL: `sqlite:${file}` })
  const { status, ...rest } = await list(url)
  t.match(status, /^model-gateway; hit; ttl=1(800|799); detail=database$/)
  t.match(rest, { ids: BUILT_IN_IDS, age: Number })
  const tag = (await fetch(`${url}/v1/models`)).headers.get('etag') as string
  await app.modelStore?.change('ann', records => [...records.filter(({ id }) => id !== 'sdxl').map(record => ({ ...record, isActive: record.id !== 'flux-pro' })), draft('n')])
  await app.catalog.edited()
  const response = await fetch(`${url}/v1/models`, { headers: { 'if-none-match': tag } })
  t.equal(response.status, 200, 'the tag from before the edit is good for nothing')
  t.same((await list(url)).ids, ['gemini-2.5-flash-preview-04-17', 'gemini-1.5-pro', 'gemini-1.5-flash', 'n', 'sdxl-lightning', 'flux-schnell'])
  t.equal(app.catalog.find('flux-pro'), undefined)
})

t.test('database: two processes on one SQLite file', async t => {
  const DATABASE_URL = `sqlite:${join(tempDir(t), 'catalog.db')}`
  const [one, two] = [await startApp(t, { CATALOG_SOURCE: 'database', DATABASE_URL }), await startApp(t, { CATALOG_SOURCE: 'database', DATABASE_URL })]
  await one.app.modelStore?.change('ann', () => [draft('only')])
  const start = performance.now()
  await becomes(two.url, ['only'])
  t.ok(performance.now() - start < 5000)
})

t.test('inference with a database: it names, orders and hides', async t => {
  const { url: inference, lists } = await service(t)
  lists('a', 'b', 'c', 'd')
  const { url, app } = await startApp(t, { CATALOG_SOURCE: 'inference', INFERENCE_SERVICE_URL: inference, DATABASE_URL: `sqlite:${join(tempDir(t), 'catalog.db')}` })
  await becomes(url, ['a', 'b', 'c', 'd'])
  await app.modelStore?.change('ann', () => [draft('c'), draft('a'), draft('d', { isActive: false }), draft('elsewhere')])
  await app.catalog.edited()
  t.same((await (await fetch(`${url}/v1/models`)).json() as Array<{ id: string, name: string }>).map(({ id, name }) => [id, name]), [['c', 'The c'], ['a', 'The a'], ['b', 'b']])
})

t.test('a database that is down at start: the start fails in plain words', async t => {
  await t.rejects(buildApp(t, { CATALOG_SOURCE: 'database', DATABASE_URL: 'postgres://gateway:hunter2@127.0.0.1:1/x', DATABASE_WAIT: '0' }), { name: 'UnavailableError', message: /^DATABASE_URL names a database that cannot be used at present: (?!.*hunter2)/ })
  await t.rejects(buildApp(t, { CATALOG_SOURCE: 'database', DATABASE_URL: `sqlite:${tempDir(t)}` }), { name: 'ConfigError', message: /^DATABASE_URL names a database that cannot be used: The file of the database cannot be opened: unable to open database file$/ })
})

t.test('a database that goes away and comes back, also over a restart', { skip: noPostgres }, async t => {
  const wire = await wired(t, await freshPostgres(t))
  const environment = { CATALOG_SOURCE: 'database', DATABASE_URL: wire.url, CATALOG_SNAPSHOT_FILE: join(tempDir(t), 'snapshot.json'), MODEL_CACHE_TIMEOUT: '0' }
  const { url, app } = await startApp(t, environment)
  await app.modelStore?.change('ann', records => [...records, draft('kept')])
  await app.catalog.edited()
  const expected = [...BUILT_IN_IDS.slice(0, 3), 'kept', ...BUILT_IN_IDS.slice(3)]
  t.same((await list(url)).ids, expected)
  // Written behind the answer: at first it is not there.
  while (!existsSync(environment.CATALOG_SNAPSHOT_FILE) || !readFileSync(environment.CATALOG_SNAPSHOT_FILE, 'utf8').includes('"kept"')) await delay(10)

  await wire.cut()
  for (let i = 0; i < 20; i++) t.same((await list(url)).ids, expected)
  const restarted = await startApp(t, environment)
  t.match(await list(restarted.url), { ids: expected, status: /detail=snapshot$/ })
  t.match(restarted.log, [/could not be read \(database\)/])

  await wire.mend()
  while (!/detail=database$/.test((await list(restarted.url)).status)) await delay(10)
  await restarted.app.modelStore?.change('ann', () => [draft('again')])
  await becomes(url, ['again'])
})
