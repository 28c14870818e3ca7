// What the models table promises, on both engines: seeded once, edited in one
// piece, audited, and safe when several processes start or write at once.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { staticModels } from '../../src/catalog/static.ts'
import { shown } from '../../src/store/changes.ts'
import type { ModelDraft, ModelRecord } from '../../src/store/records.ts'
import { openStore, type ModelStore } from '../../src/store/store.ts'
import { byHand, ENGINES } from './engines.ts'

const seed = staticModels(undefined)
const draft = (id: string, more: Partial<ModelDraft> = {}): ModelDraft => ({ id, name: id, description: '', type: 'chat', isActive: true, ...more })
const ids = (records: Array<{ id: string }>) => records.map(({ id }) => id)
const listed = async (store: ModelStore): Promise<ModelRecord[]> => (await store.contents()).placed.map(({ record }) => record)

for (const { engine, skip, freshUrl } of ENGINES) {
  t.test(engine, { skip }, async t => {
    const open = async (t: Test, url: string) => {
      const store = await openStore(url)
      t.teardown(async () => await store.close())
      return store
    }
    const fresh = async (t: Test, models: readonly ModelDraft[] = seed) => {
      const store = await open(t, await freshUrl(t))
      await store.prepare(models)
      return store
    }

    t.test('an empty table is filled from the list, in its order', async t => {
      const records = await listed(await fresh(t))
      t.same(records.map(({ updatedAt, set, ...record }) => record), seed)
    })

    t.test('a second start changes nothing; deleted models stay away', async t => {
      const url = await freshUrl(t)
      const store = await open(t, url)
      await store.prepare(seed)
      const before = await store.contents()
      await store.prepare([draft('other')])
      t.same(await store.contents(), before)
      await store.change('me', () => [])
      await store.prepare(seed)
      t.same(await listed(store), [])
      const again = await open(t, url)
      await again.prepare(seed)
      t.same(await listed(again), [])
    })

    t.test('an edit: the revision moves, the audit tells who did what', async t => {
      const store = await fresh(t)
      const { revision } = await store.contents()
      const old = (await listed(store)).find(({ id }) => id === 'sdxl') as ModelRecord
      const changes = await store.change('ann', records => [
        ...records.filter(({ id }) => id !== 'gemini-1.5-pro').map(record => record.id === 'sdxl' ? { ...record, isActive: false } : record),
        draft('new', { provider: 'p', contextLength: Number.MAX_SAFE_INTEGER, description: 'naïve ☃ \'"\\\n' })
      ])
      t.same(changes.map(({ action, modelId }) => [action, modelId]), [['update', 'sdxl'], ['create', 'new'], ['delete', 'gemini-1.5-pro']])
      t.equal((await store.contents()).revision, revision + 1)
      const after = await listed(store)
      t.same(ids(after), ['gemini-2.5-flash-preview-04-17', 'gemini-1.5-flash', 'new', 'sdxl', 'sdxl-lightning', 'flux-schnell', 'flux-pro'])
      const created = after.find(({ id }) => id === 'new') as ModelRecord
      t.match(created, { provider: 'p', contextLength: Number.MAX_SAFE_INTEGER, description: 'naïve ☃ \'"\\\n', isActive: true })
      const { entries: audit } = await store.audit(3)
      t.same(audit.map(({ who, action, modelId, revision }) => [who, action, modelId, revision]), [
        ['ann', 'delete', 'gemini-1.5-pro', revision + 1],
        ['ann', 'create', 'new', revision + 1],
        ['ann', 'update', 'sdxl', revision + 1]
      ])
      t.same(audit[2]?.before, shown(old))
      t.match(audit[2]?.after, { id: 'sdxl', isActive: false, createdAt: old.createdAt })
      t.same(audit[1]?.after, shown(created))
      const [oldest] = (await store.audit(1, audit[1])).entries
      t.same(oldest, audit[2], 'paging goes on before the entry named')
    })

    t.test('an edit that changes nothing leaves no trace', async t => {
      const store = await fresh(t)
      const before = await store.contents()
      t.same(await store.change('ann', records => records), [])
      t.same(await store.contents(), before)
      t.equal((await store.audit(100)).entries.every(({ who }) => who === 'start'), true)
    })

    t.test('an edit that throws leaves no trace', async t => {
      const store = await fresh(t)
      const before = await store.contents()
      await t.rejects(store.change('ann', () => { throw new Error('no') }), new Error('no'))
      await t.rejects(store.change('ann', records => [...records, draft('x'.repeat(10)), draft('x'.repeat(10))]), 'the database refuses a second row of one id')
      t.same(await store.contents(), before)
      t.equal((await store.change('ann', records => [...records, draft('after')])).length, 1, 'and the next one works')
    })

    t.test('createdAt is set once, updatedAt moves with each edit', async t => {
      const store = await fresh(t)
      const [first] = await listed(store)
      await store.change('ann', ([first, ...rest]) => [{ ...first as ModelRecord, name: 'renamed', createdAt: '1999-01-01T00:00:00.000Z' }, ...rest])
      const [changed, next] = await listed(store)
      t.equal(changed?.createdAt, first?.createdAt)
      t.ok((changed?.updatedAt as string) > (first?.updatedAt as string))
      t.equal(next?.updatedAt, first?.updatedAt)
    })

    t.test('order: what moved moves, and only that is written', async t => {
      const store = await fresh(t)
      await store.change('ann', ([a, b, c, ...rest]) => [c, a, b, ...rest] as ModelRecord[])
      t.same(ids(await listed(store)).slice(0, 3), ['gemini-1.5-flash', 'gemini-2.5-flash-preview-04-17', 'gemini-1.5-pro'])
      const [entry] = (await store.audit(1)).entries
      t.match(entry, { action: 'order', modelId: null })
      t.same([entry?.before, entry?.after], [[{ id: 'gemini-1.5-flash', behind: 'gemini-1.5-pro' }], [{ id: 'gemini-1.5-flash', behind: null }]], 'the audit tells what moved, and no more')
      const before = (await store.contents()).placed
      await store.change('ann', records => records.slice(1))
      t.same((await store.contents()).placed, before.slice(1), 'a deletion moves nobody')
    })

    t.test('rows added by hand are sound, and come last of their type', async t => {
      const url = await freshUrl(t)
      const store = await open(t, url)
      await store.prepare(seed)
      await byHand(url, 'insert into models (id, name) values (\'hand\', \'By hand\')')
      await byHand(url, 'insert into models (id, name, model_type, created_at) values (\'dated\', \'Dated\', \'image\', \'2024-02-03T04:05:06+00:00\')')
      const records = await listed(store)
      t.match(records[3], { id: 'hand', name: 'By hand', description: '', type: 'chat', isActive: true })
      t.ok(Math.abs(Date.parse(records[3]?.createdAt as string) - Date.now()) < 60_000)
      t.match(records.at(-1), { id: 'dated', createdAt: '2024-02-03T04:05:06.000Z' })
      await t.rejects(byHand(url, 'insert into models (id, name, model_type) values (\'x\', \'X\', \'video\')'))
      await store.change('ann', ([first, ...rest]) => [...rest, first] as ModelRecord[])
      t.same(ids(await listed(store)).slice(0, 4), ['gemini-1.5-pro', 'gemini-1.5-flash', 'hand', 'gemini-2.5-flash-preview-04-17'], 'and can be moved')
    })

    t.test('a row whose context length is none, or more than JavaScript can count, stands in no other\'s way', async t => {
      const url = await freshUrl(t)
      const store = await open(t, url)
      await store.prepare(seed)
      await byHand(url, 'insert into models (id, name, context_length) values (\'none\', \'None\', 0), (\'less\', \'Less\', -5), (\'more\', \'More\', 9223372036854775807)')
      const records = await listed(store)
      t.equal(records.length, seed.length + 3)
      for (const id of ['none', 'less', 'more']) t.notOk('contextLength' in (records.find(record => record.id === id) as ModelRecord), id)
      t.equal((await store.changeOne('ann', 'more', record => ({ ...record as ModelRecord, contextLength: 4096 })))?.contextLength, 4096, 'it can be mended')
    })

    t.test('a row whose dates are none stands in no other\'s way', async t => {
      const url = await freshUrl(t)
      const store = await open(t, url)
      await store.prepare(seed)
      await byHand(url, 'insert into models (id, name, created_at, updated_at) values (\'hand\', \'By hand\', \'infinity\', \'infinity\')')
      t.match((await listed(store))[3], { id: 'hand', createdAt: '2025-05-01T00:00:00.000Z', updatedAt: '2025-05-01T00:00:00.000Z' })
      await store.change('ann', records => records.filter(({ id }) => id !== 'hand'))
      t.same(ids(await listed(store)), ids(seed as ModelRecord[]))
    })

    t.test('thousands of models in one edit', async t => {
      const store = await fresh(t, [])
      const many = Array.from({ length: 3000 }, (_, index) => draft(`m${index}`))
      await store.change('ann', () => many)
      t.same(ids(await listed(store)), ids(many))
    })

    t.test('writers at once: none is lost, and each has a revision of its own', async t => {
      const url = await freshUrl(t)
      const stores = await Promise.all([1, 2, 3].map(async () => await open(t, url)))
      await Promise.all(stores.map(async store => await store.prepare([])))
      await Promise.all(Array.from({ length: 30 }, async (_, index) => await stores[index % 3]?.change('ann', records => [...records, draft(`m${index}`)])))
      const contents = await (stores[0] as ModelStore).contents()
      t.equal(contents.revision, 30)
      t.equal(new Set(ids(contents.placed.map(({ record }) => record))).size, 30)
      t.equal(new Set((await (stores[0] as ModelStore).audit(100)).entries.map(({ revision }) => revision)).size, 30)
    })

    t.test('three processes start at once on an empty database', async t => {
      const url = await freshUrl(t)
      const codes = await Promise.all([1, 2, 3].map(async () => {
        const child = fork(new URL('starter.ts', import.meta.url), [url], { execArgv: ['--disable-warning=ExperimentalWarning'] })
        return (await once(child, 'exit'))[0]
      }))
      t.same(codes, [0, 0, 0])
      const store = await open(t, url)
      t.same((await listed(store)).map(({ updatedAt, set, ...record }) => record), seed)
      t.equal((await store.audit(100)).entries.length, seed.length, 'filled by one of them')
    })

    t.test('watching: a change by another process is noticed', async t => {
      const url = await freshUrl(t)
      const [writer, reader] = [await open(t, url), await open(t, url)]
      await writer.prepare(seed)
      const seen: number[] = []
      const stop = reader.watch(revision => { seen.push(revision) }, error => t.fail(String(error)))
      t.teardown(stop)
      await writer.change('ann', () => [])
      const { revision } = await writer.contents()
      while (seen.at(-1) !== revision) await new Promise(resolve => setTimeout(resolve, 5))
      await stop()
    })

    t.test('after close nothing is left running', async t => {
      const store = await openStore(await freshUrl(t))
      await store.prepare(seed)
      await store.close()
      await t.rejects(store.contents())
    })
  })
}
