// A catalog file that is wrong stops the start and says where and why.
import { writeFileSync } from 'node:fs'
import t from 'tap'
import { catalogFileProblems, readStaticModels, staticModels } from '../../src/catalog/static.ts'
import { ConfigError } from '../../src/config.ts'
import { buildApp, tempDir, tempFile } from './helper.ts'

const good = { id: 'a', name: 'A', description: '' }
const cases: Array<[name: string, content: string, problems: string[]]> = [
  ['not JSON', '{\n  "chat": [\n    {"id": a}\n', ['is not JSON: line 3, column 12']],
  ['HTML', '<html>', ['is not JSON: line 1, column 1']],
  ['cut off', '{"chat":[{"id":"x', ['is not JSON: line 1, column 18']],
  ['a comma too many', '{"chat":[\n],\n}', ['is not JSON: line 3, column 1']],
  ['empty', '', ['is not JSON: line 1, column 1']],
  ['text after the end', '{}\n}', ['is not JSON: line 2, column 1']],
  ['not an object', '[]', ['the document must be an object']],
  ['an unknown type', '{"video":[]}', ['/video is not a known field']],
  ['a missing name', JSON.stringify({ chat: [good, { id: 'b', description: '' }] }), ['/chat/1/name is missing']],
  ['wrong types', JSON.stringify({ chat: [{ ...good, contextLength: '4096', isActive: 1 }] }), ['/chat/0/contextLength must be an integer', '/chat/0/isActive must be a boolean']],
  ['a negative length', JSON.stringify({ chat: [{ ...good, contextLength: -1 }] }), ['/chat/0/contextLength must be 1 or more']],
  ['an empty id', JSON.stringify({ image: [{ ...good, id: '' }] }), ['/image/0/id must not be empty']],
  ['a control character', JSON.stringify({ image: [{ ...good, id: 'a\r\nb' }] }), ['/image/0/id has characters that cannot stand there']],
  ['a long id', JSON.stringify({ image: [{ ...good, id: 'x'.repeat(101) }] }), ['/image/0/id must have at most 100 characters']],
  ['a misspelt field', JSON.stringify({ image: [{ ...good, contextlength: 1 }] }), ['/image/0/contextlength is not a known field']],
  ['a date without a time', JSON.stringify({ chat: [{ ...good, createdAt: '2025-05-01' }] }), ['/chat/0/createdAt must be a time in UTC with milliseconds, such as 2025-05-01T00:00:00.000Z']],
  ['half a surrogate pair', JSON.stringify({ chat: [{ ...good, id: 'a\ud800', name: '\udc00', provider: '😀' }], image: [{ ...good, description: '\ud83d \ude00' }] }), ['/chat/0/id', '/chat/0/name', '/image/0/description'].map(place => `${place} has characters that cannot stand there`)],
  ['dates of no calendar', JSON.stringify({ chat: ['2025-99-99T99:99:99.999Z', '2025-06-31T00:00:00.000Z', '2025-06-30T24:00:00.000Z', '0000-01-01T00:00:00.000Z', '0001-01-01T00:00:00.000Z'].map((createdAt, index) => ({ ...good, id: `m${index}`, createdAt })) }), [0, 1, 2, 3].map(index => `/chat/${index}/createdAt is no date of the calendar`)],
  ['duplicate ids', JSON.stringify({ chat: [good, { ...good, id: 'b' }], image: [good], speech: [{ ...good, id: 'b' }] }), ['/image/0/id duplicates the id "a" of /chat/0/id', '/speech/0/id duplicates the id "b" of /chat/1/id']]
]

for (const [name, content, problems] of cases) {
  t.test(name, async t => {
    const file = tempFile(t, content)
    try {
      staticModels(file)
      t.fail('accepted')
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      t.same(error.problems, problems.map(problem => `CATALOG_FILE ${file}: ${problem}`))
    }
  })
}

t.test('of very many problems the first are told, and no more looked for', async t => {
  const more = { pointer: '', reason: 'has more problems' }
  const items: unknown[] = Array.from({ length: 1000 }, () => 0)
  Object.defineProperty(items, 100, { get: () => t.fail('looked at the rest') })
  const wrong = catalogFileProblems({ chat: items })
  t.same([wrong.length, wrong[19], wrong[20]], [21, { pointer: '/chat/19', reason: 'must be an object' }, more])
  const repeated = catalogFileProblems({ chat: Array.from({ length: 1000 }, () => good) })
  t.match([repeated.length, repeated[19], repeated[20]], [21, { pointer: '/chat/20/id', reason: /^duplicates/ }, more])
  t.equal(catalogFileProblems({ chat: items.slice(0, 20) }).length, 20, 'exactly as many as are told')
  t.throws(() => staticModels(tempFile(t, `{"chat":[${'0,'.repeat(1000)}0]}`)), /CATALOG_FILE \S+: the document has more problems$/)
})

t.test('a file that cannot be read', async t => {
  const dir = tempDir(t)
  t.throws(() => staticModels(`${dir}/none.json`), new ConfigError([`CATALOG_FILE ${dir}/none.json: cannot be read (ENOENT)`]))
  t.throws(() => staticModels(dir), new ConfigError([`CATALOG_FILE ${dir}: cannot be read (EISDIR)`]))
})

t.test('a wrong file stops the start', async t => {
  await t.rejects(buildApp(t, { CATALOG_FILE: tempFile(t, '{') }), ConfigError)
})

t.test('a byte order mark is no error', async t => {
  t.same(staticModels(tempFile(t, '\ufeff{"chat":[]}')), [])
})

t.test('UTF-16, as Windows tools write it, is read', async t => {
  const content = JSON.stringify({ chat: [{ ...good, name: 'Ä 😀' }] })
  const little = Buffer.from(content, 'utf16le')
  const texts = { 'little-endian': little, 'big-endian': Buffer.from(little).swap16(), 'little-endian with a mark': Buffer.from(`\ufeff${content}`, 'utf16le'), 'big-endian with a mark': Buffer.from(`\ufeff${content}`, 'utf16le').swap16() }
  for (const [name, bytes] of Object.entries(texts)) {
    const file = tempFile(t, '')
    writeFileSync(file, bytes)
    t.match(staticModels(file), [{ id: 'a', name: 'Ä 😀' }], name)
    t.same(await readStaticModels(file), staticModels(file))
  }
  const file = tempFile(t, '')
  writeFileSync(file, Buffer.from('{"chat":\n[}', 'utf16le'))
  t.throws(() => staticModels(file), /is not JSON: line 2, column 2$/)
})

t.test('another encoding is refused, because its letters would be lost', async t => {
  const file = tempFile(t, '')
  writeFileSync(file, JSON.stringify({ chat: [{ ...good, name: 'Café' }] }), 'latin1')
  t.throws(() => staticModels(file), new ConfigError([`CATALOG_FILE ${file}: is neither UTF-8 nor UTF-16`]))
  await t.rejects(readStaticModels(file), ConfigError)
})

t.test('ids may be paths of any system, and models may state what they can do', async t => {
  const capabilities = { input: ['text', 'image'], output: ['text'], tools: true, reasoning: false, structuredOutput: true }
  const models = ['a//b', '/a', 'a/../b', '..x', 'C:\\a\\b', 'x%41y', '50%'].map(id => ({ ...good, id, capabilities }))
  t.same(staticModels(tempFile(t, JSON.stringify({ chat: models }))).map(({ id, capabilities }) => ({ id, capabilities })), models.map(({ id }) => ({ id, capabilities })))
  t.throws(() => staticModels(tempFile(t, JSON.stringify({ chat: [{ ...good, capabilities: { input: [], vision: true } }] }))), /\/chat\/0\/capabilities/)
})

t.test('defaults: active, and made on a fixed day', async t => {
  const file = tempFile(t, JSON.stringify({ chat: [good], image: [{ ...good, id: 'b', isActive: false, createdAt: '2020-01-01T00:00:00.000Z' }] }))
  t.same(staticModels(file), [
    { ...good, type: 'chat', isActive: true, createdAt: '2025-05-01T00:00:00.000Z' },
    { ...good, id: 'b', type: 'image', isActive: false, createdAt: '2020-01-01T00:00:00.000Z' }
  ])
})
