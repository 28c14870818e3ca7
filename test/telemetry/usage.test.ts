// Tokens are counted from what services say in their answers, whatever way the bytes
// are cut, and from nothing that only looks like it.
import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { usageReader, type UsageReader } from '../../src/telemetry/usage/usage-reader.ts'
import { RECORDED } from './recorded-answers.ts'

/** Reads pieces as the proxy hands them over: the memory of each is used again after the call. */
function readPieces (reader: UsageReader, pieces: Iterable<Buffer>): UsageReader {
  for (const piece of pieces) {
    const lent = Buffer.from(piece)
    reader.read(lent)
    lent.fill('"')
  }
  return reader
}

function cutAt (body: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map(cut => cut % (body.length + 1)).sort((a, b) => a - b), body.length]
  return places.slice(1).map((end, i) => body.subarray(places[i], end))
}

for (const { name, contentType, body, usage, model } of RECORDED) {
  t.test(name, async t => {
    const bytes = Buffer.from(body)
    const found = (pieces: Buffer[]) => {
      const reader = readPieces(usageReader(contentType, undefined)!, pieces)
      return { usage: reader.usage, model: reader.model }
    }
    t.same(found([bytes]), { usage, model }, 'in one piece')
    t.same(found([...bytes].map(byte => Buffer.of(byte))), { usage, model }, 'byte by byte')
    t.same(found(body.split(/(?<=\n\n|\r\r|\r\n\r\n)/).map(event => Buffer.from(event))).usage, usage, 'event by event')
    fc.assert(fc.property(fc.array(fc.nat(), { maxLength: 12 }), cuts => {
      assert.deepEqual(found(cutAt(bytes, cuts)), { usage, model })
    }), { numRuns: 100 })
  })
}

t.test('a byte order mark before an event stream, which the standard allows', async t => {
  const bytes = Buffer.from('\ufeffdata: {"model":"m","usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n')
  for (let cut = 0; cut < 8; cut++) {
    const { usage, model } = readPieces(usageReader('text/event-stream', undefined)!, cutAt(bytes, [cut]))
    t.same({ usage, model }, { usage: { input: 3, output: 4 }, model: 'm' }, `cut after ${cut} bytes`)
  }
})

t.test('any JSON object gives what JSON.parse finds at its top', async t => {
  const word = fc.constantFrom('usage', 'timings', 'model', 'response', 'message', 'prompt_tokens', '"usage"', 'usage"', '\\', '{', 'x')
  const usage = fc.record({ prompt_tokens: fc.nat(), completion_tokens: fc.nat() })
  const { json } = fc.letrec(tie => ({
    json: fc.oneof({ depthSize: 'small' }, word, fc.double(), fc.constant(null), usage, fc.array(tie('json'), { maxLength: 3 }), fc.dictionary(word, tie('json'), { maxKeys: 4 }))
  }))
  let counted = 0
  fc.assert(fc.property(fc.dictionary(word, json, { maxKeys: 6 }), usage, fc.boolean(), fc.array(fc.nat(), { maxLength: 6 }), (object, own, has, cuts) => {
    // A parent's own words are a rule of their own, shown above.
    const { usage: _usage, timings: _timings, response: _response, message: _message, ...rest } = object
    const whole = has ? { ...rest, usage: own } : rest
    if (has) counted++
    const event = `data: ${JSON.stringify(whole)}\n\n`
    // Once the model is known, lines are searched before they are scanned.
    for (const [type, text] of [['application/json', JSON.stringify(whole)], ['text/event-stream', event], ['text/event-stream', `data: {"model":"m"}\n\n${event}`]] as const) {
      const reader = readPieces(usageReader(type, undefined)!, cutAt(Buffer.from(text), cuts))
      assert.deepEqual(reader.usage, has ? { input: own.prompt_tokens, output: own.completion_tokens } : undefined, text)
      if (!text.includes('"m"')) assert.equal(reader.model, typeof rest.model === 'string' ? rest.model : undefined, text)
    }
  }), { numRuns: 500 })
  t.ok(counted > 50, 'many of them had counts')
})

t.test('any bytes at all do no harm', async () => {
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: fc.constantFrom('"', '\\', '{', '}', '[', ']', ':', ',', '\n', '\r', 'data:', '"usage"', '"model"', '1', ' ') }).map(text => Buffer.from(text)))
  fc.assert(fc.property(bytes, fc.array(fc.nat(), { maxLength: 6 }), (bytes, cuts) => {
    for (const type of ['application/json', 'text/event-stream']) {
      const whole = readPieces(usageReader(type, undefined)!, [Buffer.from(bytes)])
      const cut = readPieces(usageReader(type, undefined)!, cutAt(Buffer.from(bytes), cuts))
      if (type === 'application/json') assert.deepEqual([cut.usage, cut.model], [whole.usage, whole.model])
    }
  }), { numRuns: 2000 })
})

t.test('cached tokens are counted once, whichever way a service counts its input', async t => {
  const cases: [usage: object, input: number, cachedInput: number][] = [
    // Anthropic: the input is what did not come from the cache.
    [{ input_tokens: 20, cache_read_input_tokens: 80, output_tokens: 5 }, 100, 80],
    // LiteLLM: both shapes in one, and the input is all of it.
    [{ prompt_tokens: 100, prompt_tokens_details: { cached_tokens: 80 }, cache_read_input_tokens: 80, completion_tokens: 5 }, 100, 80]
  ]
  for (const [usage, input, cachedInput] of cases) {
    const reader = usageReader('application/json', undefined)!
    reader.read(Buffer.from(JSON.stringify({ usage })))
    t.match(reader.usage, { input, cachedInput, output: 5 })
  }
})

t.test('counts that are none are not counted', async t => {
  for (const count of ['-1', '1.5', '1e300', '"7"', 'null', '{}', '[7]', 'true', '99999999999999999999']) {
    const reader = usageReader('application/json', undefined)!
    reader.read(Buffer.from(`{"usage":{"prompt_tokens":${count},"completion_tokens":3}}`))
    t.same(reader.usage, { output: 3 }, count)
  }
  for (const usage of ['null', '7', '"x"', '[]', '{}', '{"prompt_tokens":', `{"x":"${'x'.repeat(10_000)}","prompt_tokens":1}`]) {
    const reader = usageReader('application/json', undefined)!
    reader.read(Buffer.from(`{"usage":${usage}}`))
    t.equal(reader.usage, undefined, usage.slice(0, 20))
  }
})

t.test('bodies that say nothing of themselves, and compressed ones, have no reader', async t => {
  for (const [type, encoding] of [[undefined, undefined], ['audio/mpeg', undefined], ['image/png', undefined], ['text/plain', undefined], ['application/json', 'gzip'], ['text/event-stream', 'br']]) {
    t.equal(usageReader(type, encoding), undefined, `${type} ${encoding}`)
  }
  for (const [type, encoding] of [['application/json', undefined], ['Application/JSON; charset=utf-8', 'identity'], ['application/vnd.x+json', ''], ['text/event-stream;charset=UTF-8', undefined]]) {
    t.ok(usageReader(type, encoding), `${type} ${encoding}`)
  }
})
