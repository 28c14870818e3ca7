// A service may send what it likes: a reader of its tokens keeps a bounded number of
// bytes, and is not fooled by what stands in texts or deeper objects.
import t from 'tap'
import { usageReader } from '../../src/telemetry/usage/usage-reader.ts'

const MB = 1024 * 1024
/** Memory outside of V8's heap, where bytes are kept, and in it. */
const memory = () => {
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / MB
}

/** One piece over and over, between a beginning and an end. */
function readMany (type: string, megabytes: number, start: string, piece: Buffer, end: string) {
  const reader = usageReader(type, undefined)!
  reader.read(Buffer.from(start))
  const before = memory()
  for (let sent = 0; sent < megabytes * MB; sent += piece.length) reader.read(piece)
  const grown = memory() - before
  reader.read(Buffer.from(end))
  return { grown, usage: reader.usage, model: reader.model }
}

const filled = (text: string) => Buffer.alloc(64 * 1024, text)

for (const [type, before, after] of [['application/json', '', ''], ['text/event-stream', 'data: ', '\n\n']] as const) {
  t.test(`a line without end, ${type}`, async t => {
    const cases: Record<string, [start: string, piece: Buffer, end: string]> = {
      // 1 GB: the rest in megabytes enough to show in the memory.
      'a text': ['{"model":"m","x":"', filled('x'), '","usage":{"prompt_tokens":1,"completion_tokens":2}}'],
      'a text of backslashes': ['{"model":"m","x":"', filled('\\\\'), '","usage":{"prompt_tokens":1,"completion_tokens":2}}'],
      'a text full of escaped quotes': ['{"model":"m","x":"', filled('some text \\"usage\\":{\\"prompt_tokens\\":9} and more of it, up to 64 bytes;'), '","usage":{"prompt_tokens":1,"completion_tokens":2}}'],
      numbers: ['{"model":"m","x":[', filled('0.123456,'), '0],"usage":{"prompt_tokens":1,"completion_tokens":2}}']
    }
    for (const [name, [start, piece, end]] of Object.entries(cases)) {
      const { grown, usage, model } = readMany(type, name === 'a text' ? 1024 : 64, before + start, piece, end + after)
      t.same(usage, { input: 1, output: 2 }, name)
      t.equal(model, 'm')
      t.ok(grown < 8, `${name}: ${grown.toFixed(1)} MB`)
    }
    const endless: Record<string, [start: string, piece: Buffer]> = {
      'a usage without end': ['{"usage":{"prompt_tokens":1,"x":"', filled('x')],
      'a model without end': ['{"model":"', filled('x')],
      'a key without end': ['{"', filled('usage')],
      'open braces': ['{"usage":', filled('{"usage":')],
      'no line and no JSON': ['', filled('x')]
    }
    for (const [name, [start, piece]] of Object.entries(endless)) {
      const { grown, usage } = readMany(type, 64, before + start, piece, '')
      t.equal(usage, undefined, name)
      t.ok(grown < 8, `${name}: ${grown.toFixed(1)} MB`)
    }
  })
}

t.test('what only looks like a usage is none', async t => {
  const fakes = [
    { choices: [{ usage: { prompt_tokens: 9 } }] },
    { choices: [{ message: { content: '"usage":{"prompt_tokens":9}' } }] },
    { content: '}],"usage":{"prompt_tokens":9}' },
    { content: '\\"}],"usage":{"prompt_tokens":9}' },
    { input: { input: { usage: { prompt_tokens: 9 } } } },
    { response: { output: { usage: { prompt_tokens: 9 } } } },
    { message: [{ usage: { prompt_tokens: 9 } }] },
    { 'usage"': { prompt_tokens: 9 } },
    { Usage: { prompt_tokens: 9 } },
    { a: 'usage', b: { prompt_tokens: 9 } },
    [{ usage: { prompt_tokens: 9 } }],
    '"usage":{"prompt_tokens":9}'
  ]
  for (const fake of fakes) {
    const json = JSON.stringify(fake)
    const whole = usageReader('application/json', undefined)!
    whole.read(Buffer.from(json))
    t.equal(whole.usage, undefined, json)
    const stream = usageReader('text/event-stream', undefined)!
    for (let i = 0; i < 6; i++) stream.read(Buffer.from(`data: ${json}\n\nevent: x\nid: {"usage":{"prompt_tokens":9}}\n: "usage":{"prompt_tokens":9}\n\n`))
    t.equal(stream.usage, undefined, json)
  }
})
