// The `@llamaindex/openai` package, as published, against gateway and stand-in:
// chat completions and the Responses API. (It lists no models.)
import { OpenAI, OpenAIEmbedding, OpenAIResponses } from '@llamaindex/openai'
import { test, type Test } from 'tap'
import { BROKEN, ENDLESS, endsUpstream, startPair } from '../clients.ts'

async function start (t: Test, defaultHeaders: Record<string, string> = {}, stop?: AbortSignal) {
  const pair = await startPair(t)
  // Its own chat stream goes on reading after a `break`, and it takes no signal:
  // an application that wants to stop gives it a `fetch` that knows one.
  const stoppable = (url: Parameters<typeof fetch>[0], init?: RequestInit) => fetch(url, { ...init, signal: AbortSignal.any([init?.signal, stop].filter(signal => signal != null)) })
  const options = { model: 'gpt-4o', apiKey: 'a-key', maxRetries: 0, baseURL: pair.baseURL, additionalSessionOptions: { defaultHeaders, fetch: stoppable } }
  // The two have the same calls; only the types of their options differ.
  return { ...pair, chat: new OpenAI(options), responses: new OpenAIResponses(options) as unknown as OpenAI, embeddings: new OpenAIEmbedding({ ...options, model: 'text-embedding-3-small' }) }
}

const messages = [{ role: 'user' as const, content: 'Hello there' }]

test('chat, by both APIs, and embeddings', async t => {
  const { chat, responses, embeddings, standIn } = await start(t)
  for (const client of [chat, responses]) {
    const { message } = await client.chat({ messages })
    t.match(String(message.content), /model gpt-4o\. .*Hello there$/)
  }
  t.equal((await embeddings.getTextEmbedding('a cat')).length, 8)
  t.strictSame(standIn.requests.map(({ url }) => url), ['/v1/chat/completions', '/v1/responses', '/v1/embeddings'])
})

test('streamed chat, by both APIs', async t => {
  const { chat, responses } = await start(t)
  for (const client of [chat, responses]) {
    const pieces: string[] = []
    for await (const { delta } of await client.chat({ messages, stream: true })) if (delta) pieces.push(delta)
    t.ok(pieces.length > 10)
    // By the Responses API it says the last piece once more for each event that ends something.
    t.match(pieces.join(''), /^You asked the stand-in for model gpt-4o\. .*Hello there( there)*$/)
  }
})

test('a reader that stops in mid-stream stops the inference service', async t => {
  for (const api of ['chat', 'responses'] as const) {
    const stop = new AbortController()
    const pair = await start(t, ENDLESS, stop.signal)
    for await (const { delta } of await pair[api].chat({ messages, stream: true })) {
      if (delta) stop.abort()
    }
    await endsUpstream(t, pair.standIn)
  }
})

test('errors: the inference service\'s own, the gateway\'s, and a stream that breaks', async t => {
  const limited = await start(t, { 'x-stand-in-status': '429' })
  await t.rejects(limited.chat.chat({ messages }), { status: 429, message: /told to answer 429/ })
  await limited.standIn.close()
  await t.rejects(limited.chat.chat({ messages }), { status: 502, code: 'upstream_unreachable' })
  const broken = await start(t, BROKEN)
  for (const client of [broken.chat, broken.responses]) {
    let text = ''
    await t.rejects(async () => {
      for await (const { delta } of await client.chat({ messages, stream: true })) text += delta
    }, { message: /inference service/ })
    t.equal(text, 'You asked the')
  }
})
