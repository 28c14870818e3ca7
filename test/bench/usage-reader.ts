/**
 * What reading the usage costs: nanoseconds of CPU for an event of 200 bytes, for a
 * chat answer of 1 KB, and for a megabyte of an embedding and of a picture.
 *
 *   node test/bench/usage-reader.ts
 */
import { usageReader } from '../../src/telemetry/usage/usage-reader.ts'

const event = Buffer.from(`data: ${JSON.stringify({ id: 'chatcmpl-abc123', object: 'chat.completion.chunk', created: 1700000000, model: 'gemini-1.5-flash', choices: [{ index: 0, delta: { content: ' token' }, logprobs: null, finish_reason: null }] })}\n\n`)
const withNull = Buffer.from(event.toString().replace('}\n\n', ',"usage":null}\n\n'))
const burst = Buffer.concat(Array.from({ length: 50 }, () => event))
const chat = Buffer.from(JSON.stringify({ id: 'chatcmpl-abc123', object: 'chat.completion', created: 1700000000, model: 'gemini-1.5-flash', choices: [{ index: 0, message: { role: 'assistant', content: 'word '.repeat(140) }, logprobs: null, finish_reason: 'stop' }], usage: { prompt_tokens: 19, completion_tokens: 10, total_tokens: 29 } }))
const embedding = Buffer.from(JSON.stringify({ data: [{ embedding: Array.from({ length: 50_000 }, (_, i) => Math.sin(i)) }], model: 'm', usage: { prompt_tokens: 1 } }))
const picture = Buffer.from(JSON.stringify({ data: [{ b64_json: 'iVBORw0KGgo'.repeat(100_000) }], usage: { input_tokens: 1, output_tokens: 1 } }))

/** Nanoseconds of CPU that one call takes: the best of ten rounds. */
function cost (rounds: number, call: () => void): number {
  let best = Infinity
  for (let round = 0; round < 10; round++) {
    const before = process.cpuUsage()
    for (let i = 0; i < rounds; i++) call()
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, (user + system) / rounds * 1000)
  }
  return best
}

const stream = usageReader('text/event-stream', undefined)!
const line = (name: string, nanoseconds: number) => console.log(`${name.padEnd(44)} ${nanoseconds.toFixed(0).padStart(9)} ns`)
line(`event of ${event.length} bytes`, cost(200_000, () => stream.read(event)))
line(`event of ${withNull.length} bytes with "usage":null`, cost(200_000, () => stream.read(withNull)))
line('50 events in one piece, each', cost(10_000, () => stream.read(burst)) / 50)
line('a stream\'s reader, made', cost(100_000, () => { usageReader('text/event-stream', undefined) }))
const whole = (body: Buffer) => () => usageReader('application/json', undefined)!.read(body)
line(`chat answer of ${chat.length} bytes`, cost(50_000, whole(chat)))
line(`embedding of ${(embedding.length / 1e6).toFixed(1)} MB`, cost(20, whole(embedding)))
line(`picture of ${(picture.length / 1e6).toFixed(1)} MB`, cost(200, whole(picture)))
