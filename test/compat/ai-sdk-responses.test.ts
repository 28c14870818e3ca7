// The `ai` package with OpenAI's own provider, which speaks the Responses API,
// as published, against gateway and stand-in. (The provider lists no models.)
import { createOpenAI } from '@ai-sdk/openai'
import { APICallError, generateText, streamText } from 'ai'
import { test, type Test } from 'tap'
import { BROKEN, ENDLESS, endsUpstream, startPair } from '../clients.ts'

globalThis.AI_SDK_LOG_WARNINGS = false

async function start (t: Test) {
  const pair = await startPair(t)
  return { ...pair, model: createOpenAI({ baseURL: pair.baseURL, apiKey: 'a-key' })('gpt-x') }
}

const prompt = 'Hello there'
const maxRetries = 0

test('text', async t => {
  const { model, standIn } = await start(t)
  const { text, usage, finishReason } = await generateText({ model, prompt, maxRetries })
  t.match(text, /model gpt-x\. .*Hello there$/)
  t.equal(finishReason, 'stop')
  t.ok(usage.outputTokens! > 0)
  t.strictSame(standIn.requests.map(({ url }) => url), ['/v1/responses'])
})

test('streamed text', async t => {
  const { model } = await start(t)
  const result = streamText({ model, prompt, maxRetries })
  const pieces: string[] = []
  for await (const piece of result.textStream) pieces.push(piece)
  t.match(pieces.join(''), /^You asked the stand-in for model gpt-x\. .*Hello there$/)
  t.equal((await result.usage).outputTokens, pieces.length)
})

test('a reader that stops in mid-stream stops the inference service', async t => {
  const { model, standIn } = await start(t)
  const stop = new AbortController()
  const result = streamText({ model, prompt, maxRetries, headers: ENDLESS, abortSignal: stop.signal })
  for await (const piece of result.textStream) {
    if (piece !== '') stop.abort()
  }
  await endsUpstream(t, standIn)
})

test('errors: the inference service\'s own, the gateway\'s, and a stream that breaks', async t => {
  const { model, standIn } = await start(t)
  const error = await generateText({ model, prompt, maxRetries, headers: { 'x-stand-in-status': '422' } }).then(() => undefined, (error: unknown) => error)
  t.ok(APICallError.isInstance(error))
  t.match(error, { statusCode: 422, message: 'The stand-in was told to answer 422.' })

  const errors: unknown[] = []
  const result = streamText({ model, prompt, maxRetries, headers: BROKEN, onError: ({ error }) => { errors.push(error) } })
  let text = ''
  const parts: string[] = []
  try {
    for await (const part of result.stream) {
      parts.push(part.type)
      if (part.type === 'text-delta') text += part.text
    }
  } catch (error) {
    errors.push(error)
  }
  t.equal(text, 'You asked the')
  t.ok(errors.length > 0, parts.join())
  t.notOk(parts.includes('finish'), parts.join())

  await standIn.close()
  await t.rejects(generateText({ model, prompt, maxRetries }), { statusCode: 502, message: 'The inference service cannot be reached.' })
})
