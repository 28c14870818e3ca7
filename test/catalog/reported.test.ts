// What inference servers say of their models, each in its own words: entries and
// fields are read one by one, and what cannot be read takes nothing else with it.
import { Value } from '@sinclair/typebox/value'
import t from 'tap'
import { CapabilitiesSchema, MAX_LENGTH } from '../../src/catalog/models.ts'
import { hasUnreadable, NoList, readReported, SKIPPED } from '../../src/catalog/reported.ts'
import { fixture, FIXTURES, INFINITY } from '../fixtures/inference/index.ts'

const read = (answer: unknown) => readReported(JSON.stringify(answer))

for (const [server, { file, expected }] of Object.entries(FIXTURES)) {
  t.test(server, async t => {
    const { models, skipped } = readReported(fixture(file))
    t.same(models, expected)
    t.same(skipped, { count: 0, reasons: {} })
    for (const { capabilities } of models) t.ok(capabilities === undefined || Value.Check(CapabilitiesSchema, capabilities))
  })
}

const noLists: Array<[name: string, text: string, reason: string]> = [
  ['an error in 200', '{"error":{"message":"no"}}', 'answers with an error object'],
  ['another object', '{"models":[{"id":"m"}]}', 'answers with neither an array nor an object with an array `data`'],
  ['null', 'null', 'answers with neither an array nor an object with an array `data`'],
  ['a string', '"models"', 'answers with neither an array nor an object with an array `data`'],
  ['data of the wrong type', '{"data":{"id":"m"}}', 'answers with neither an array nor an object with an array `data`'],
  ['HTML', '\n<!doctype html><title>x</title>', 'answers with a page of HTML or XML'],
  ['nothing', '', 'answers with what is not JSON'],
  ['an empty list', '{"data":[]}', 'lists no models'],
  ['an empty array', '[]', 'lists no models'],
  ['nothing but what cannot be read', '[null,5,"m",[],{},{"id":7}]', 'lists no model that can be read'],
  ['only kinds without a place, as stated', fixture(INFINITY), 'lists no models for chat, image or speech'],
  ['only kinds without a place, by name', '[{"id":"text-embedding-3-small"}]', 'lists no models for chat, image or speech'],
  ['too many', JSON.stringify(Array.from({ length: 10_001 }, (_, id) => ({ id: String(id) }))), 'lists more than 10000 models']
]
for (const [name, text, reason] of noLists) {
  t.test(`no list: ${name}`, async t => {
    t.throws(() => readReported(text), new NoList(reason))
  })
}

t.test('10,000 models are not too many', async t => {
  t.equal(read(Array.from({ length: 10_000 }, (_, id) => ({ id: String(id) }))).models.length, 10_000)
})

t.test('an entry that cannot be read is skipped and counted', async t => {
  const { models, skipped } = read({
    data: [
      null, 'm', 5, ['x'], { name: 'no id' }, { id: 5 }, { id: '' }, { id: 'x'.repeat(MAX_LENGTH.id + 1) },
      { id: 'a\r\nb' }, { id: 'a\u0085b' }, { id: 'half\ud800' }, { id: 'good', name: 'First' }, { id: 'good', name: 'Second' }, { id: 'x'.repeat(MAX_LENGTH.id) }
    ]
  })
  t.same(models, [{ id: 'good', name: 'First' }, { id: 'x'.repeat(100) }])
  t.same(skipped, { count: 12, reasons: { [SKIPPED.noObject]: 4, [SKIPPED.noId]: 4, [SKIPPED.badId]: 3, [SKIPPED.repeated]: 1 } })
  t.ok(hasUnreadable(skipped))
  t.notOk(hasUnreadable(read([{ id: 'a' }, { id: 'a' }]).skipped), 'a model that is listed twice can be read')
})

t.test('a field of the wrong type is absent', async t => {
  const wrong: object[] = [
    { name: {} }, { name: 5 }, { description: ['x'] }, { type: 1 }, { type: {} }, { type: ['no such word', 7] }, { provider: true },
    { context_length: '4096' }, { meta: { n_ctx: [] } }, { meta: 5 }, { meta: [1] }, { max_model_len: -1 }, { contextLength: 1.5 }, { contextLength: 1e300 }, { contextLength: 0 }, { contextLength: null },
    { architecture: 'x' }, { architecture: { input_modalities: 'text', output_modalities: {} } }, { architecture: { modality: 7 } }, { input_modalities: [] }, { input_modalities: ['<b>', 7, null] },
    { capabilities: 'chat' }, { capabilities: 7 }, { capabilities: [[], 7] }, { capabilities: { vision: 'yes' } }, { supported_parameters: { tools: true } }, { supported_parameters: 'tools' }
  ]
  for (const fields of wrong) t.same(read([{ id: 'm', ...fields }]).models, [{ id: 'm' }], JSON.stringify(fields))
  t.same(read([{ id: 'm', name: 7, display_name: 'M', contextLength: '5', context_length: 7 }]).models, [{ id: 'm', name: 'M', contextLength: 7 }], 'and the next place counts')
  t.same(read([{ id: '__proto__' }, { id: 'constructor' }]).models, [{ id: '__proto__' }, { id: 'constructor' }])
})

t.test('names and descriptions are one line of readable characters, cut where they are too long', async t => {
  const [model] = read([{ id: 'm', name: ' a\r\n b\u0000\u009fc\ud800 ', description: `${'x'.repeat(9_999)}😀 and more`, provider: 'p'.repeat(200) }]).models
  t.same(model?.name, 'a b c\ufffd')
  t.equal(model?.description, 'x'.repeat(9_999), 'not in the middle of a character')
  t.equal(model?.provider?.length, 100)
  t.same(read([{ id: 'm', name: '\n\t', description: '' }]).models, [{ id: 'm' }], 'nothing is left of it')
})

t.test('ids may be paths of any system', async t => {
  const ids = ['/root/models/x', '../models/x.gguf', './x', 'C:\\models\\x.gguf', 'org%2Fx', '..x', 'a//b']
  t.same(read(ids.map(id => ({ id }))).models, ids.map(id => ({ id })))
})
