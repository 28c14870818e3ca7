// A JSON body streams through: the default model goes in where the request names
// none, every other byte passes as it came, and what is no JSON object is refused.
// Held against an oracle that knows nothing of streaming: it takes the strings out
// with a regular expression and leaves the rest to JSON.parse.
import fc from 'fast-check'
import t from 'tap'
import { JsonModelScanner } from '../../src/body/json.ts'
import { chunkSizes, cut, scan, splits, type Outcome } from './helper.ts'

const DEFAULT = 'org/default'
const bytes = (text: string) => Buffer.from(text)
const run = (body: Buffer, chunks: Iterable<Buffer> = [body], model: string | undefined = DEFAULT) => scan(new JsonModelScanner(model), chunks)
const runPlain = (body: Buffer) => scan(new JsonModelScanner(undefined), [body])
const latin1 = (text: string) => bytes(text).toString('latin1')

t.test('the default goes in where no model is named, and nowhere else', async t => {
  const table: Array<[input: string, output: string, model: string | null]> = [
    // absent
    ['{}', '{"model":"org/default"}', DEFAULT],
    [' { } ', ' { "model":"org/default"} ', DEFAULT],
    ['{"a":1}', '{"a":1,"model":"org/default"}', DEFAULT],
    ['\t\r\n {\n  "a": [1, {"b": {}}]\n}\n', '\t\r\n {\n  "a": [1, {"b": {}}]\n,"model":"org/default"}\n', DEFAULT],
    ['{"a":{"model":"x"},"b":[{"model":"y"}]}', '{"a":{"model":"x"},"b":[{"model":"y"}],"model":"org/default"}', DEFAULT],
    ['{"Model":"x"}', '{"Model":"x","model":"org/default"}', DEFAULT],
    ['{"model ":"x","":1}', '{"model ":"x","":1,"model":"org/default"}', DEFAULT],
    ['{"a":"model","b":"\\"model\\":"}', '{"a":"model","b":"\\"model\\":","model":"org/default"}', DEFAULT],
    ['{"mode\\\\l":1}', '{"mode\\\\l":1,"model":"org/default"}', DEFAULT],
    ['{"\\uD83D\\uDE00":1}', '{"\\uD83D\\uDE00":1,"model":"org/default"}', DEFAULT],
    ['{"\\ud800":1,"__proto__":{"model":1}}', '{"\\ud800":1,"__proto__":{"model":1},"model":"org/default"}', DEFAULT],
    // null and ""
    ['{"model":null}', '{"model":"org/default"}', DEFAULT],
    ['{"model": null ,"a":1}', '{"model": "org/default" ,"a":1}', DEFAULT],
    ['{"a":1,"model"\n:\n""}', '{"a":1,"model"\n:\n"org/default"}', DEFAULT],
    ['{"mod\\u0065l":""}', '{"mod\\u0065l":"org/default"}', DEFAULT],
    // named
    ['{"model":"x"}', '{"model":"x"}', 'x'],
    ['{"m\\u006Fdel":"x"}', '{"m\\u006Fdel":"x"}', 'x'],
    ['{"\\u006d\\u006f\\u0064\\u0065\\u006c":"x"}', '{"\\u006d\\u006f\\u0064\\u0065\\u006c":"x"}', 'x'],
    ['{"model":" "}', '{"model":" "}', ' '],
    ['{"model":"\\u0000"}', '{"model":"\\u0000"}', '\0'],
    ['{"model":"\\u0067pt\\/4"}', '{"model":"\\u0067pt\\/4"}', 'gpt/4'],
    ['{"model":"\\""}', '{"model":"\\""}', '"'],
    ['{"model":"\\\\"}', '{"model":"\\\\"}', '\\'],
    ['{"model":"größe"}', latin1('{"model":"größe"}'), 'größe'],
    ['{"model":"\\ud83d\\ude00"}', '{"model":"\\ud83d\\ude00"}', '😀'],
    ['{"model":"a\\qb"}', '{"model":"a\\qb"}', 'a\\qb'],
    // named, no string
    ...['0', '-1.5e+3', 'true', 'false', '{}', '[]', '{"model":"y"}', '[null]'].map(
      (value): [string, string, null] => [`{"model":${value},"a":1}`, `{"model":${value},"a":1}`, null])
  ]
  for (const [input, output, model] of table) {
    const body = bytes(input)
    const expected = { output, model, delta: output.length - body.length }
    t.same(run(body), expected, input)
    for (const chunks of splits(body)) {
      const outcome = run(body, chunks)
      if (JSON.stringify(outcome) !== JSON.stringify(expected)) t.same(outcome, expected, `${input} cut after ${chunks[0]?.length}`)
    }
  }
})

t.test('what is no JSON object is refused', async t => {
  const bad = [
    '', ' ', '\n\t\r', 'null', '0', '[]', '""', 'true', '[{}]', '"model"', '{', '}', '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a', '{"a\\"}', '{"a":"x}', '{"a":"\\',
    '{}{}', '{} x', '{},', '{}\0', '{"a":1}]', '{"a":1,}', '{,}', '{"a":1,,"b":2}', '{"a" 1}', '{"a"::1}', '{"a":1 "b":2}', '{a:1}', "{'a':1}", '{1:1}', '{null:1}', '{"a":}',
    '{"a":[1,]}', '{"a":[,1]}', '{"a":[1 2]}', '{"a":[}', '{"a":[1}', '{"a":{]}', '{"a":[[[[{]]]]}', '{"a":[{"b":1]}}', '{"a"]', '{]',
    ...['01', '1.', '+1', '.5', '-', '1e', '1e+', '1.e1', '00', '-01', '1.5.', '0x1', '1_0', '--1', '1-', '1e1.5', 'Infinity', 'NaN', '-Infinity', '١'].map(n => `{"a":${n}}`),
    ...['tru', 'True', 'TRUE', 'nul', 'nulll', 'nil', 'fals', 'undefined', 'truefalse', 't'].map(word => `{"a":${word}}`),
    ...['nul', 'nulx', 'nullx', '"" ""', '', 'x', '"a" 1', 'nul l'].map(value => `{"model":${value}}`),
    '{\u00a0}', '{}\u00a0', '{}\u2028', '{\f}', '{\v}', '{"a":1}/**/', '{"a":1}\r\n\0', '{"mod\\qel":1}', '{"mod\\u00":1}'
  ].map(bytes)
  bad.push(Buffer.from('{"a":1}', 'utf16le'), Buffer.from('\ufeff{"a":1}', 'utf16le'), Buffer.from([0xff, 0x7b, 0x7d]), Buffer.from([0x7b, 0x7d, 0xff]))
  for (const body of bad) {
    for (const chunks of [[body], ...splits(body)]) {
      for (const model of [DEFAULT, undefined]) {
        const outcome = scan(new JsonModelScanner(model), chunks)
        if (outcome.code !== 'invalid_json') t.same(outcome, { code: 'invalid_json' }, body.toString())
      }
    }
  }
  t.pass(`${bad.length} bodies`)
})

t.test('two top-level models are refused, however they are spelled', async t => {
  for (const body of [
    '{"model":"a","model":"a"}', '{"model":null,"model":"a"}', '{"model":"","model":null}', '{"model":1,"mod\\u0065l":2}',
    '{"mod\\u0065l":"a","b":{"model":1},"\\u006d\\u006f\\u0064\\u0065\\u006c":"c"}'
  ].map(bytes)) {
    t.same(run(body), { code: 'duplicate_model' }, body.toString())
    t.same(runPlain(body), { code: 'duplicate_model' })
    for (const chunks of splits(body)) t.same(run(body, chunks), { code: 'duplicate_model' })
  }
})

t.test('without a default nothing is put in, but the model is found and the body checked', async t => {
  for (const [input, model] of [['{}', undefined], ['{"model":null}', undefined], ['{"model":""}', undefined], ['{"model":"x"}', 'x'], ['{"model":[]}', null]] as const) {
    for (const chunks of splits(bytes(input))) t.same(scan(new JsonModelScanner(undefined), chunks), { output: input, model, delta: 0 }, input)
  }
  t.same(runPlain(bytes('{"a":01}')), { code: 'invalid_json' })
})

t.test('the default is escaped as JSON, and a short one makes the body shorter', async t => {
  const nasty = 'a"\\\n</😀'
  const { output } = run(bytes('{}'), [bytes('{}')], nasty)
  t.equal(JSON.parse(Buffer.from(output!, 'latin1').toString()).model, nasty)
  t.same(run(bytes('{}'), [bytes('{"model":null}')], 'x'), { output: '{"model":"x"}', model: 'x', delta: -1 })
})

t.test('a UTF-8 byte order mark passes, and only at the beginning', async t => {
  const mark = Buffer.from([0xef, 0xbb, 0xbf])
  for (const text of ['{"a":1}', ' {"model":null}', '{"model":"x"}']) {
    const body = Buffer.concat([mark, bytes(text)])
    const plain = run(bytes(text))
    for (const chunks of [[body], ...splits(body)]) t.same(run(body, chunks), { ...plain, output: mark.toString('latin1') + plain.output })
  }
  for (const bad of [mark, Buffer.concat([mark, mark, bytes('{}')]), Buffer.concat([mark.subarray(0, 2), bytes('{}')]), Buffer.concat([bytes(' '), mark, bytes('{}')])]) {
    for (const chunks of [[bad], ...splits(bad)]) t.same(run(bad, chunks), { code: 'invalid_json' })
  }
})

t.test('nothing is added where another key names the model', async t => {
  const otherKeys = ['models', 'preset', 'prompt']
  const table: Array<[input: string, namedBy: string | undefined]> = [
    ['{"models":["a","b"]}', 'models'], ['{"preset":"x","a":1}', 'preset'], ['{"prompt":{"id":"pmpt_1"}}', 'prompt'],
    ['{"model":null,"models":["a"]}', 'models'], ['{"models":["a"],"model":""}', 'models'], ['{"m\\u006fdels" :\n[1]}', 'models'],
    ['{"models":null}', undefined], ['{"a":{"models":["x"]}}', undefined], ['{"Models":["x"]}', undefined], ['{"prompts":1}', undefined]
  ]
  for (const [input, namedBy] of table) {
    const body = bytes(input)
    for (const chunks of [[body], ...splits(body)]) {
      const scanner = new JsonModelScanner(DEFAULT, { otherKeys })
      const { output } = scan(scanner, chunks)
      t.equal(scanner.namedBy, namedBy)
      t.equal(output === input, namedBy !== undefined, input)
    }
  }
})

t.test('a name longer than the limit is no known name, and the bytes are not cut', async t => {
  for (const name of ['m'.repeat(1025), 'm'.repeat(5000), '\\u0061'.repeat(164) + 'suffix'.repeat(30)]) {
    const body = bytes(`{"model":"${name}"}`)
    for (const chunks of [[body], cut(body, [7])]) t.same(run(body, chunks), { output: body.toString(), model: null, delta: 0 })
  }
  t.equal(run(bytes(`{"model":"${'m'.repeat(1024)}"}`)).model, 'm'.repeat(1024))
})

t.test('a broken scanner stays broken', async t => {
  const scanner = new JsonModelScanner(DEFAULT)
  t.throws(() => scanner.write(bytes('{]')), { code: 'invalid_json' })
  t.throws(() => scanner.write(bytes('{}')), { code: 'invalid_json' })
  t.throws(() => scanner.end(), { code: 'invalid_json' })
})

t.test('depth costs a bit a level, and no recursion', async t => {
  for (const depth of [30, 31, 32, 33, 63, 64, 65, 1023, 1024, 1025, 100_000, 3_000_000]) {
    const open = Array.from({ length: Math.min(depth, 1000) }, (_, i) => i % 3 === 0 ? '{"a":' : '[').join('')
    const close = Array.from({ length: Math.min(depth, 1000) }, (_, i) => i % 3 === 0 ? '}' : ']').reverse().join('')
    const inner = '['.repeat(Math.max(0, depth - 1000))
    const body = bytes(open + inner + '0' + inner.replaceAll('[', ']') + close)
    const end = body.length - 1
    t.equal(run(body).output, `${body.toString('latin1', 0, end)},"model":"org/default"}`, `${depth} levels`)
    const crossed = Buffer.from(body)
    const middle = end - Math.min(depth, 1000) / 2
    crossed[middle | 0] = crossed[middle | 0] === 0x7d ? 0x5d : 0x7d
    t.same(run(crossed), { code: 'invalid_json' }, `${depth} levels, one bracket crossed`)
  }
})

t.test('hostile bodies of 4 MB cost linear time', async t => {
  const fill = (text: string) => text.repeat(Math.ceil(4e6 / text.length))
  const bodies: Record<string, string> = {
    'escaped quotes': `{"a":"${fill('\\"')}"}`,
    'escaped quotes far apart': `{"a":"${fill('x'.repeat(40) + '\\"')}"}`,
    backslashes: `{"a":"${fill('\\\\')}"}`,
    keys: `{${fill('"b":0,')}"a":0}`,
    'one long key': `{"${fill('\\u006d')}":0}`,
    'one long number': `{"a":${fill('1')}}`,
    'white space': `{${fill(' ')}}${fill('\n')}`,
    'long name': `{"model":"${fill('\\u006d')}"}`
  }
  for (const [name, body] of Object.entries(bodies)) {
    const whole = bytes(body)
    const started = process.cpuUsage()
    const scanner = new JsonModelScanner(DEFAULT)
    // 1,000 bytes: each chunk boundary falls somewhere else in the pattern.
    for (const chunk of cut(whole, [1000, 997])) scanner.write(chunk)
    scanner.end()
    const { user, system } = process.cpuUsage(started)
    t.ok(user + system < 1_000_000, `${name}: ${Math.round((user + system) / 1000)} ms`)
  }
})

/** The verdict, the output and the model by taking the strings out and parsing the rest. */
function oracle (body: Buffer, model: string): Outcome {
  const text = body.toString('latin1')
  const strings: Array<{ raw: string, from: number, end: number }> = []
  // Each string becomes a name of its own, so that JSON.parse sees no string's
  // contents and no key twice.
  const bare = text.replace(/"((?:[^"\\]|\\[^])*)"/g, (whole, raw: string, from: number) => {
    strings.push({ raw, from, end: from + whole.length })
    return `"s${strings.length - 1}"`
  })
  let parsed: unknown
  try { parsed = JSON.parse(bare) } catch { return { code: 'invalid_json' } }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return { code: 'invalid_json' }
  const read = (raw: string): string => {
    const utf8 = Buffer.from(raw, 'latin1').toString()
    try { return raw.includes('\\') ? JSON.parse(`"${utf8}"`) : utf8 } catch { return utf8 }
  }
  const entries = Object.entries(parsed).map(([key, value]) => ({ key: strings[Number(key.slice(1))]!, value }))
  for (const { key } of entries) {
    if (key.raw.length > 36 || !key.raw.includes('\\')) continue
    try { JSON.parse(`"${key.raw}"`) } catch { return { code: 'invalid_json' } }
  }
  const models = entries.filter(({ key }) => read(key.raw) === 'model')
  if (models.length > 1) return { code: 'duplicate_model' }
  const done = (output: string, model: string | null) => ({ output, model, delta: output.length - text.length })
  const value = latin1(JSON.stringify(model))
  if (models.length === 0) {
    const brace = text.lastIndexOf('}')
    return done(`${text.slice(0, brace)}${entries.length === 0 ? '' : ','}"model":${value}${text.slice(brace)}`, model)
  }
  const [named] = models
  const found = typeof named!.value === 'string' ? read(strings[Number(named!.value.slice(1))]!.raw) : named!.value
  if (found !== null && found !== '') return done(text, typeof found === 'string' ? found : null)
  const { end } = named!.key
  const from = end + /^[ \t\r\n]*:[ \t\r\n]*/.exec(text.slice(end))![0].length
  return done(text.slice(0, from) + value + text.slice(from + (found === null ? 4 : 2)), model)
}

/** A scanner stops at the second model, so it never sees what is wrong behind it. */
function agree (outcome: Outcome, expected: Outcome): boolean {
  return JSON.stringify(outcome) === JSON.stringify(expected) ||
    (outcome.code === 'duplicate_model' && expected.code === 'invalid_json')
}

const space = fc.string({ unit: fc.constantFrom(' ', '\t', '\n', '\r'), maxLength: 2 })
const rawString = fc.string({
  unit: fc.oneof({ weight: 4, arbitrary: fc.constantFrom('a', 'model', '{', '}', '[', ':', ',', 'ü', '😀', '\u2028') }, fc.constantFrom('\\"', '\\\\', '\\/', '\\n', '\\u0065', '\\ud800', '\\uD83D\\ude00', '\\u0000')),
  maxLength: 40
}).map(raw => `"${raw}"`)
const letters = ['m', 'o', 'd', 'e', 'l']
const modelKey = fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }).map(escaped => `"${letters.map((c, i) => escaped[i] ? '\\u00' + c.charCodeAt(0).toString(16) : c).join('')}"`)
const number = fc.constantFrom('0', '-0', '12345678901234567890', '1.0', '1e400', '-1E-5', '0.1e+10', '100', '9007199254740993', '0.0000000000000000000000001')
const leaf = fc.oneof(rawString, number, fc.constantFrom('true', 'false', 'null', '""', '{}', '[]'))
const joined = (open: string, items: string[], close: string) => open + items.join(',') + close
const padded = (arbitrary: fc.Arbitrary<string>) => fc.tuple(space, arbitrary, space).map(parts => parts.join(''))
const { node } = fc.letrec<{ node: string, members: string[] }>(tie => ({
  node: fc.oneof({ depthSize: 'small', withCrossShrink: true }, leaf,
    fc.array(padded(tie('node') as fc.Arbitrary<string>), { maxLength: 3 }).map(items => joined('[', items, ']')),
    (tie('members') as fc.Arbitrary<string[]>).map(items => joined('{', items, '}'))),
  members: fc.array(fc.tuple(padded(fc.oneof(rawString, fc.constantFrom('"model"', '"__proto__"', '"a"'))), padded(tie('node') as fc.Arbitrary<string>)).map(pair => pair.join(':')), { maxLength: 4 })
}))
const plainMember = fc.tuple(padded(fc.oneof(rawString.filter(raw => raw !== '"model"'), fc.constantFrom('"__proto__"', '"a"', '"models"', '"mode\\u006b"'))), padded(node)).map(pair => pair.join(':'))
const modelMember = fc.tuple(padded(modelKey), padded(fc.oneof(leaf, node))).map(pair => pair.join(':'))
const objectOf = (models: fc.Arbitrary<string[]>) => fc.tuple(space, fc.array(plainMember, { maxLength: 4 }), models, fc.nat(), space, space).map(([before, items, named, at, inside, after]) => {
  const all = [...items]
  for (const model of named) all.splice(at % (all.length + 1), 0, model)
  return before + (all.length === 0 ? `{${inside}}` : joined('{', all, '}')) + after
})
const object = objectOf(fc.array(modelMember, { maxLength: 1 }))
const ambiguous = objectOf(fc.array(modelMember, { minLength: 1, maxLength: 2 }))

t.test('any object in any chunks: output without the insertion is the input, and parses to the model', async () => {
  fc.assert(fc.property(object, chunkSizes, fc.constantFrom('m', DEFAULT, 'ü"\\'), (text, sizes, model) => {
    const body = bytes(text)
    const outcome = run(body, cut(body, sizes), model)
    const expected = oracle(body, model)
    if (!agree(outcome, expected)) throw new Error(`${JSON.stringify(outcome)} is not ${JSON.stringify(expected)}`)
    const given = JSON.parse(text)
    const got = JSON.parse(Buffer.from(outcome.output!, 'latin1').toString())
    const named = Object.hasOwn(given, 'model') && given.model !== null && given.model !== ''
    return named ? outcome.output === body.toString('latin1') : got.model === model && outcome.model === model
  }), { seed: 20260101, numRuns: 3000 })
})

t.test('valid bodies with random bytes changed: the verdict is JSON.parse\'s, strings\' contents aside', async t => {
  const charset = [...Buffer.from('{}[]",:\\0123456789.-+eEtrufalsn \t\n\r\0\x7fmodel'), 0xff, 0xc3]
  const edit = fc.record({ at: fc.nat(), remove: fc.integer({ min: 0, max: 2 }), insert: fc.array(fc.constantFrom(...charset), { maxLength: 2 }) })
  const verdicts = { accepted: 0, refused: 0 }
  fc.assert(fc.property(fc.oneof(object, ambiguous), fc.array(edit, { maxLength: 3 }), chunkSizes, (text, edits, sizes) => {
    let body = bytes(text)
    for (const { at, remove, insert } of edits) {
      const from = at % (body.length + 1)
      body = Buffer.concat([body.subarray(0, from), Buffer.from(insert), body.subarray(from + remove)])
    }
    const outcome = run(body, cut(body, sizes))
    const expected = oracle(body, DEFAULT)
    verdicts[expected.code === undefined ? 'accepted' : 'refused']++
    if (!agree(outcome, expected)) throw new Error(`${body.toString('latin1')}: ${JSON.stringify(outcome)} is not ${JSON.stringify(expected)}`)
  }), { seed: 20260102, numRuns: 6000 })
  t.ok(verdicts.accepted > 1000 && verdicts.refused > 1000, JSON.stringify(verdicts))
})

t.test('every number of up to five characters, and every body of up to five tokens', async t => {
  const words = (alphabet: string[], length: number): string[] => length === 0 ? [''] : words(alphabet, length - 1).flatMap(word => word.length < length - 1 ? [word] : [word, ...alphabet.map(c => word + c)])
  const differ: string[] = []
  const check = (text: string) => {
    const body = bytes(text)
    if (!agree(run(body), oracle(body, DEFAULT))) differ.push(text)
  }
  for (const word of words([...'01-+.eE'], 5)) check(`{"a":${word}}`)
  const bodies = (length: number): string[] => length === 0 ? [''] : bodies(length - 1).flatMap(body => ['{', '}', '[', ']', ',', ':', '"model"', '""'].map(token => body + token))
  for (const body of bodies(5)) { check(body); check(`{"model":${body}}`) }
  t.same(differ, [])
})
