// The lists are made from the bytes of the lists before, in slices: whatever
// changes, moves, comes or goes in between, they are what serialising every model
// anew would give.
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { Model } from '../../src/catalog/models.ts'
import { Renderer, type Renderings } from '../../src/catalog/renderings.ts'

const model = fc.record({
  id: fc.integer({ min: 0, max: 12 }).map(number => `m${number}`),
  name: fc.string({ unit: 'grapheme', maxLength: 5 }),
  type: fc.constantFrom('chat' as const, 'image' as const, 'speech' as const)
}).map(fields => ({ ...fields, description: '', contextLength: 5 }))
const lists = fc.array(fc.uniqueArray(model, { selector: ({ id }) => id, maxLength: 12 }), { maxLength: 6 })

const item = (item: object) => JSON.stringify(item)
const renderer = () => new Renderer({ item: { chat: item, image: item, speech: item }, detail: item, openaiDetail: item })

function check (t: Test, models: readonly Model[], { all, byType, openai, detail }: Renderings): void {
  const shown = ({ id, name, description, type, contextLength }: Model) => type === 'chat' ? { id, name, description, contextLength } : { id, name, description }
  t.equal(all.body.toString(), JSON.stringify(models.map(shown)))
  t.equal(all.tag, `"${createHash('sha256').update(all.body).digest('base64url').slice(0, 22)}"`)
  for (const type of ['chat', 'image', 'speech'] as const) t.equal(byType[type].body.toString(), JSON.stringify(models.filter(model => model.type === type).map(shown)))
  const { object, data } = JSON.parse(openai.body.toString())
  t.same([object, data.map((item: Model) => [item.id, item.name])], ['list', models.map(({ id, name }) => [id, name])])
  for (const model of models) t.equal(detail(model.id)?.body.toString(), JSON.stringify(model))
  t.equal(detail('none'), undefined)
}

t.test('any lists, one after the other', async () => {
  await fc.assert(fc.asyncProperty(lists, async lists => {
    const incremental = renderer()
    const known = new Map<string, Model>()
    for (const list of lists) {
      // As the catalog does: an equal model stays the same object.
      const models = list.map(model => {
        const key = JSON.stringify(model)
        known.set(key, known.get(key) ?? model)
        return known.get(key) as Model
      })
      const renderings = await incremental.render(models)
      const fresh = await renderer().render(models)
      for (const name of ['all', 'openai'] as const) {
        if (!renderings[name].body.equals(fresh[name].body) || renderings[name].tag !== fresh[name].tag) throw new Error(`${renderings[name].body} is not ${fresh[name].body}`)
      }
      for (const type of ['chat', 'image', 'speech'] as const) if (!renderings.byType[type].body.equals(fresh.byType[type].body)) throw new Error(`${type}: ${renderings.byType[type].body}`)
    }
  }), { numRuns: 300 })
})

t.test('one model comes between two that stood side by side; one goes; one changes; the order turns', async t => {
  const incremental = renderer()
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((id): Model => ({ id, name: `The ${id}`, description: '', type: 'chat', contextLength: 1 })) as [Model, Model, Model, Model]
  const picture: Model = { id: 'p', name: 'Picture', description: '', type: 'image' }
  for (const models of [[], [a, b], [a, c, b], [a, c, b, d], [a, b, d], [a, { ...b, name: 'ä' }, d], [d, a], [d, a, picture], [picture], []]) check(t, models, await incremental.render(models))
})

const many = (length: number) => Array.from({ length }, (_, index): Model => ({ id: `m${index}`, name: 'M', description: 'x'.repeat(200), type: 'chat', contextLength: 1 }))

t.test('in long lists too, wherever the change is', async t => {
  const incremental = renderer()
  const before = many(300)
  for (const at of [0, 1, 63, 64, 150, 298, 299]) {
    const model = before[at] as Model
    const changes: Record<string, Model[]> = {
      changed: before.with(at, { ...model, name: 'N' }),
      removed: before.toSpliced(at, 1),
      'many removed': before.toSpliced(at, 50),
      added: before.toSpliced(at, 0, { ...model, id: 'new' }),
      'many added': before.toSpliced(at, 0, ...many(200).map(model => ({ ...model, id: `new-${model.id}` }))),
      reversed: before.toReversed()
    }
    for (const [change, models] of Object.entries(changes)) {
      await incremental.render(before)
      const [{ all, openai }, fresh] = [await incremental.render(models), await renderer().render(models)]
      t.ok(all.body.equals(Buffer.from(JSON.stringify(models.map(({ type, ...model }) => model)))), `${change} at ${at}`)
      t.ok(openai.body.equals(fresh.openai.body))
      t.same([all.tag, openai.tag], [fresh.all.tag, fresh.openai.tag])
    }
  }
})

t.test('a change serialises the models around it and no others', async t => {
  let count = 0
  const counted = (value: object) => { count++; return JSON.stringify(value) }
  const renderer = new Renderer({ item: { chat: counted, image: counted, speech: counted }, detail: counted, openaiDetail: counted })
  const models = many(2000)
  await renderer.render(models)
  t.equal(count, 4000, 'once for each list that they stand in')
  for (const changed of [models.with(1000, { ...models[1000] as Model, name: 'N' }), models, models.toSpliced(500, 1), models, [...models, { ...models[0] as Model, id: 'last' }]]) {
    count = 0
    await renderer.render(changed)
    t.ok(count <= 2 * 256, `${count}`)
  }
})

t.test('a change takes little memory in a long list', async t => {
  const renderer = new Renderer({ item: { chat: item, image: item, speech: item }, detail: item, openaiDetail: item })
  let models: readonly Model[] = many(5000)
  const { length } = (await renderer.render(models)).all.body
  const before = process.memoryUsage().arrayBuffers
  for (let at = 0; at < 10; at++) {
    models = models.with(at * 500, { ...models[at * 500] as Model, name: 'N' })
    await renderer.render(models)
  }
  const growth = process.memoryUsage().arrayBuffers - before
  t.ok(growth < length, `${growth} bytes for ten changes of a list of ${length}`)
})
