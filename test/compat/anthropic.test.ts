// The `@anthropic-ai/sdk` package, as published, against gateway and stand-in:
// messages, token counts, and the catalog in the shape that it can page through.
import Anthropic from '@anthropic-ai/sdk'
import { test, type Test } from 'tap'
import { BROKEN, ENDLESS, endsUpstream, startPair } from '../clients.ts'

async function start (t: Test, settings: Record<string, string> = {}) {
  const pair = await startPair(t, settings)
  // The SDK adds `/v1`. Below `/openai` it finds a list that is no bare array.
  return { ...pair, anthropic: new Anthropic({ baseURL: `${pair.gateway.url}/openai`, apiKey: 'a-key', maxRetries: 0 }) }
}

const ask = { model: 'claude', max_tokens: 100, messages: [{ role: 'user' as const, content: 'Hello there' }] }

test('lists the models', async t => {
  const { anthropic, gateway } = await start(t)
  const ids: string[] = []
  for await (const { id } of anthropic.models.list()) ids.push(id)
  t.strictSame(ids, (await (await fetch(`${gateway.url}/v1/models`)).json() as Array<{ id: string }>).map(({ id }) => id))
})

test('a message, and its tokens counted before', async t => {
  const { anthropic, standIn } = await start(t)
  const message = await anthropic.messages.create(ask)
  t.match(message, { role: 'assistant', model: 'claude', stop_reason: 'end_turn' })
  t.match(message.content[0], { type: 'text', text: /model claude\. .*Hello there$/ })
  t.ok(message.usage.output_tokens > 0)
  t.ok((await anthropic.messages.countTokens({ model: 'claude', messages: ask.messages })).input_tokens > 0)
  t.strictSame(standIn.requests.map(({ url }) => url), ['/v1/messages', '/v1/messages/count_tokens'])
  const { headers } = standIn.requests[0]!
  t.match(headers['anthropic-version'], /^\d{4}-/)
  t.equal(headers.authorization, 'Bearer a-key', 'a gateway without keys of its own passes the client\'s on')
})

test('the SDK\'s key opens a gateway that has keys, and stays there', async t => {
  const { anthropic, standIn } = await start(t, { API_KEYS: 'a-key', INFERENCE_API_KEY: 'the-service-key' })
  await anthropic.messages.create(ask)
  t.equal(standIn.requests[0]!.headers.authorization, 'Bearer the-service-key')
  t.equal(standIn.requests[0]!.headers['x-api-key'], 'the-service-key', 'Anthropic\'s API reads it there')
})

test('a streamed message', async t => {
  const { anthropic } = await start(t)
  const stream = anthropic.messages.stream(ask)
  const pieces: string[] = []
  stream.on('text', piece => pieces.push(piece))
  const message = await stream.finalMessage()
  t.match(pieces.join(''), /^You asked the stand-in for model claude\. .*Hello there$/)
  t.ok(pieces.length > 10)
  t.equal(message.usage.output_tokens, pieces.length)
})

test('a reader that stops in mid-stream stops the inference service', async t => {
  const { anthropic, standIn } = await start(t)
  const stream = await anthropic.messages.create({ ...ask, stream: true }, { headers: ENDLESS })
  for await (const event of stream) if (event.type === 'content_block_delta') break
  await endsUpstream(t, standIn)
})

test('errors: the inference service\'s own, the gateway\'s, and a stream that breaks', async t => {
  const { anthropic, standIn } = await start(t)
  const limited: any = await anthropic.messages.create(ask, { headers: { 'x-stand-in-status': '429', 'x-stand-in-retry-after': '7' } }).catch(error => error)
  t.ok(limited instanceof Anthropic.RateLimitError)
  t.match(limited, { status: 429, type: 'rate_limit_error', message: /told to answer 429/ })
  t.equal(limited.headers.get('retry-after'), '7')
  let text = ''
  await t.rejects(async () => {
    for await (const event of await anthropic.messages.create({ ...ask, stream: true }, { headers: BROKEN })) {
      if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') text += event.delta.text
    }
  }, 'the stream does not look complete')
  t.equal(text, 'You asked the', 'what had arrived is delivered')
  await standIn.close()
  await t.rejects(anthropic.messages.create(ask), { status: 502, message: /cannot be reached/ })
})
