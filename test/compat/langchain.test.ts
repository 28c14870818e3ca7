// The `@langchain/openai` package, as published, against gateway and stand-in:
// chat completions and the Responses API. (It lists no models.)
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai'
import { test, type Test } from 'tap'
import { BROKEN, ENDLESS, endsUpstream, startPair } from '../clients.ts'

async function start (t: Test, defaultHeaders: Record<string, string> = {}) {
  const pair = await startPair(t)
  const options = { model: 'gpt-x', apiKey: 'a-key', maxRetries: 0, configuration: { baseURL: pair.baseURL, defaultHeaders } }
  return { ...pair, chat: new ChatOpenAI(options), responses: new ChatOpenAI({ ...options, useResponsesApi: true }), embeddings: new OpenAIEmbeddings(options) }
}

test('chat, by both APIs, and embeddings', async t => {
  const { chat, responses, embeddings, standIn } = await start(t)
  for (const client of [chat, responses]) {
    t.match(await client.invoke('Hello there'), { text: /model gpt-x\. .*Hello there$/, usage_metadata: { output_tokens: Number } })
  }
  t.equal((await embeddings.embedQuery('a cat')).length, 8)
  t.strictSame(standIn.requests.map(({ url }) => url), ['/v1/chat/completions', '/v1/responses', '/v1/embeddings'])
})

test('streamed chat, by both APIs', async t => {
  const { chat, responses } = await start(t)
  for (const client of [chat, responses]) {
    const pieces: string[] = []
    for await (const chunk of await client.stream('Hello there')) if (chunk.text !== '') pieces.push(chunk.text)
    t.ok(pieces.length > 10)
    t.match(pieces.join(''), /^You asked the stand-in for model gpt-x\. .*Hello there$/)
  }
})

test('a reader that stops in mid-stream stops the inference service', async t => {
  for (const api of ['chat', 'responses'] as const) {
    const pair = await start(t, ENDLESS)
    for await (const chunk of await pair[api].stream('Hello there')) if (chunk.text !== '') break
    await endsUpstream(t, pair.standIn)
  }
})

test('errors: the inference service\'s own, the gateway\'s, and a stream that breaks', async t => {
  const limited = await start(t, { 'x-stand-in-status': '429' })
  await t.rejects(limited.chat.invoke('Hello'), { status: 429, message: /told to answer 429/ })
  await limited.standIn.close()
  await t.rejects(limited.chat.invoke('Hello'), { status: 502, code: 'upstream_unreachable' })
  const broken = await start(t, BROKEN)
  for (const client of [broken.chat, broken.responses]) {
    let text = ''
    await t.rejects(async () => {
      for await (const chunk of await client.stream('Hello')) text += chunk.text
    }, { message: /inference service/ })
    t.equal(text, 'You asked the')
  }
})
