// The `ai` package with its OpenAI-compatible provider, as published, against
// gateway and stand-in. (The provider has no speech and no transcription.)
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { APICallError, embed, generateImage, generateText, streamText } from 'ai'
import { test, type Test } from 'tap'
import { PNG_SIGNATURE, startPair } from '../clients.ts'

async function start (t: Test, settings: Record<string, string> = {}) {
  const pair = await startPair(t, settings)
  return { ...pair, provider: createOpenAICompatible({ name: 'gateway', baseURL: pair.baseURL, apiKey: 'a-key', includeUsage: true }) }
}

globalThis.AI_SDK_LOG_WARNINGS = false

const prompt = 'Hello there'
const maxRetries = 0

test('text, with and without a model named', async t => {
  const { provider } = await start(t)
  for (const [model, answered] of [['gemini-1.5-pro', 'gemini-1.5-pro'], ['', 'gemini-1.5-flash']] as const) {
    const { text, usage, finishReason } = await generateText({ model: provider(model), prompt, maxRetries })
    t.match(text, new RegExp(`model ${answered}\\. .*Hello there$`))
    t.equal(finishReason, 'stop')
    t.ok(usage.outputTokens! > 0)
  }
})

test('streamed text, with and without a model named', async t => {
  const { provider } = await start(t)
  for (const [model, answered] of [['gemini-1.5-pro', 'gemini-1.5-pro'], ['', 'gemini-1.5-flash']] as const) {
    const result = streamText({ model: provider(model), prompt, maxRetries })
    let text = ''
    let pieces = 0
    for await (const piece of result.textStream) {
      text += piece
      pieces++
    }
    t.match(text, new RegExp(`^You asked the stand-in for model ${answered}\\. .*Hello there$`))
    t.ok(pieces > 10)
    t.equal((await result.usage).outputTokens, pieces)
  }
})

test('completions, images and embeddings', async t => {
  const { provider } = await start(t)
  t.match((await generateText({ model: provider.completionModel(''), prompt, maxRetries })).text, 'model gemini-1.5-flash.')
  const { image } = await generateImage({ model: provider.imageModel(''), prompt, maxRetries })
  t.equal(Buffer.from(image.uint8Array).toString('hex', 0, 8), PNG_SIGNATURE)
  t.equal(image.mediaType, 'image/png')
  t.equal((await embed({ model: provider.embeddingModel('e5'), value: 'a cat', maxRetries })).embedding.length, 8)
})

test('errors: the inference service\'s own, and the gateway\'s', async t => {
  const { provider, standIn } = await start(t)
  const ask = (headers: Record<string, string> = {}) => generateText({ model: provider('m'), prompt, maxRetries, headers })
  const error = await ask({ 'x-stand-in-status': '422' }).then(() => undefined, (error: unknown) => error)
  t.ok(APICallError.isInstance(error))
  t.match(error, { statusCode: 422, message: 'The stand-in was told to answer 422.' })
  await standIn.close()
  await t.rejects(ask(), { statusCode: 502, message: 'The inference service cannot be reached.' })
})

test('a stream that breaks midway is an error, not a short answer', async t => {
  const { provider } = await start(t)
  for (const how of ['fin', 'rst']) {
    const parts: string[] = []
    const errors: unknown[] = []
    const result = streamText({
      model: provider('m'),
      prompt,
      maxRetries,
      headers: { 'x-stand-in-break-after': '3', 'x-stand-in-break-with': how },
      onError: ({ error }) => { errors.push(error) }
    })
    let text = ''
    try {
      for await (const part of result.stream) {
        parts.push(part.type)
        if (part.type === 'text-delta') text += part.text
      }
    } catch (error) {
      errors.push(error)
    }
    t.equal(text, 'You asked the')
    t.notOk(parts.includes('finish'), how)
    t.match(errors[0], { message: 'The inference service broke off its answer.' })
  }
})
