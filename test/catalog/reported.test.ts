// What inference servers say of their models, each in its own words, and what
// becomes of it with curated data on top.
import t from 'tap'
import { activeModels, type CuratedModel } from '../../src/catalog/models.ts'
import { completed, readReported } from '../../src/catalog/reported.ts'
import { FIXTURES, fixture } from '../fixtures/inference/index.ts'

for (const [server, { file, expected }] of Object.entries(FIXTURES)) {
  t.test(server, async t => {
    t.same(readReported(JSON.parse(fixture(file))), expected)
  })
}

const model = (more: object) => ({ data: [{ id: 'good' }, { id: 'm', ...more }] })
const lies: Array<[name: string, answer: unknown, reason: string]> = [
  ['an error in 200', { error: { message: 'no' } }, 'The answer is neither an array nor an object with an array `data`.'],
  ['null', null, 'The answer is neither an array nor an object with an array `data`.'],
  ['a string', 'models', 'The answer is neither an array nor an object with an array `data`.'],
  ['data of the wrong type', { data: { id: 'm' } }, 'The answer is neither an array nor an object with an array `data`.'],
  ['an empty list', { data: [] }, 'The answer lists no models.'],
  ['an empty array', [], 'The answer lists no models.'],
  ['only embeddings', [{ id: 'e', type: 'embedding' }], 'The answer lists no models for chat, image or speech.'],
  ['too many', Array.from({ length: 2001 }, (_, id) => ({ id: String(id) })), 'The answer lists more than 2000 models.'],
  ['a model that is null', [null], '/0 is not an object.'],
  ['a model that is a string', { data: ['m'] }, '/data/0 is not an object.'],
  ['no id', { data: [{ name: 'x' }] }, '/data/0/id is not a model\'s id.'],
  ['an id with a line break', { data: [{ id: 'a\r\nb' }] }, '/data/0/id is not a model\'s id.'],
  ['an endless id', { data: [{ id: 'x'.repeat(1000) }] }, '/data/0/id is not a model\'s id.'],
  ['a number as id', { data: [{ id: 5 }] }, '/data/0/id is not a string.'],
  ['duplicate ids', { data: [{ id: 'a' }, { id: 'b' }, { id: 'a' }] }, '/data/2/id duplicates an id.'],
  ['a name of the wrong type', model({ name: {} }), '/data/1/name is not a string.'],
  ['a description of the wrong type', model({ description: ['x'] }), '/data/1/description is not a string.'],
  ['a type of the wrong type', model({ type: 1 }), '/data/1/type is not a string.'],
  ['a length of the wrong type', model({ context_length: '4096' }), '/data/1/context_length is not a number.'],
  ['a length of the wrong type, deeper', model({ meta: { n_ctx: [] } }), '/data/1/meta/n_ctx is not a number.']
]
for (const [name, answer, reason] of lies) {
  t.test(`a lie: ${name}`, async t => {
    t.throws(() => readReported(answer), new Error(reason))
  })
}

t.test('lengths that mean nothing are as good as none', async t => {
  for (const length of [0, -1, 1.5, 1e300, null]) t.same(readReported([{ id: 'm', context_length: length }]), [{ id: 'm' }])
  t.same(readReported([{ id: 'm', contextLength: 5, context_length: 7 }]), [{ id: 'm', contextLength: 5 }])
  t.same(readReported([{ id: '__proto__' }, { id: 'constructor' }]), [{ id: '__proto__' }, { id: 'constructor' }])
})

t.test('what the service leaves unsaid is curated, then the contract\'s default', async t => {
  const curated: CuratedModel[] = [
    { id: 'pic', name: 'Picture', description: 'Paints', type: 'image', provider: 'P', createdAt: '2020-01-01T00:00:00.000Z', isActive: true },
    { id: 'off', name: 'Off', description: '', type: 'chat', isActive: false },
    { id: 'elsewhere', name: 'Elsewhere', description: '', type: 'chat', isActive: true }
  ]
  t.same(activeModels(completed([
    { id: 'pic', name: 'Its own name' },
    { id: 'unknown' },
    { id: 'off', name: 'On!' },
    { id: 'voice', type: 'speech' }
  ], curated)), [
    { id: 'unknown', name: 'unknown', description: '', type: 'chat', contextLength: 1048576 },
    { id: 'pic', name: 'Its own name', description: 'Paints', type: 'image', provider: 'P', createdAt: '2020-01-01T00:00:00.000Z' },
    { id: 'voice', name: 'voice', description: '', type: 'speech' }
  ])
})
