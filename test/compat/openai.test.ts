// The `openai` package, as it is published, against gateway and stand-in: what
// an application sees when it changes nothing but its base URL.
import OpenAI, { toFile } from 'openai'
import { test, type Test } from 'tap'
import { PNG_SIGNATURE, startPair } from '../clients.ts'

async function start (t: Test, settings: Record<string, string> = {}) {
  const pair = await startPair(t, settings)
  return { ...pair, openai: new OpenAI({ baseURL: pair.baseURL, apiKey: 'a-key', maxRetries: 0 }) }
}

const messages = [{ role: 'user' as const, content: 'Hello there' }]

test('chat, with and without a model named', async t => {
  const { openai, standIn } = await start(t)
  for (const [model, answered] of [['gemini-1.5-pro', 'gemini-1.5-pro'], ['', 'gemini-1.5-flash'], [undefined, 'gemini-1.5-flash'], [null, 'gemini-1.5-flash']] as const) {
    const { choices, usage, model: named } = await openai.chat.completions.create({ model: model as string, messages })
    t.equal(named, answered)
    t.match(choices[0]?.message.content, `asked the stand-in for model ${answered}. `)
    t.ok(usage!.total_tokens > 0)
  }
  t.equal(standIn.requests[0]!.headers.authorization, 'Bearer a-key', 'a gateway without keys of its own passes the client\'s on')
})

test('streamed chat, with and without a model named', async t => {
  const { openai } = await start(t)
  for (const [model, answered] of [['gemini-1.5-pro', 'gemini-1.5-pro'], ['', 'gemini-1.5-flash']] as const) {
    const stream = await openai.chat.completions.create({ model, messages, stream: true, stream_options: { include_usage: true } })
    let text = ''
    let chunks = 0
    let tokens = 0
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? ''
      tokens = chunk.usage?.completion_tokens ?? tokens
      chunks++
    }
    t.match(text, new RegExp(`^You asked the stand-in for model ${answered}\\. .* You said: Hello there$`))
    t.equal(chunks, tokens + 3, 'each token in its own chunk, and a first, a last and the usage')
  }
})

test('the tokens arrive while the answer is being made', async t => {
  const { openai } = await start(t)
  const stream = await openai.chat.completions.create({ model: '', messages, stream: true }, { headers: { 'x-stand-in-stall-after': '3' } })
  let text = ''
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? ''
    if (text === 'You asked the') break
  }
  t.equal(text, 'You asked the', 'three tokens of an answer that never ends')
})

test('the Responses API and completions', async t => {
  const { openai } = await start(t)
  const response = await openai.responses.create({ input: 'Hello there' })
  t.match(response.output_text, /model gemini-1\.5-flash\. .*Hello there$/)
  let text = ''
  for await (const event of await openai.responses.create({ model: 'other', input: 'Hello there', stream: true })) {
    if (event.type === 'response.output_text.delta') text += event.delta
  }
  t.match(text, /model other\. .*Hello there$/)
  t.match((await openai.completions.create({ model: '', prompt: 'Hello' })).choices[0]!.text, 'model gemini-1.5-flash.')
})

test('images: generated, edited, varied', async t => {
  const { openai } = await start(t)
  const png = await openai.images.generate({ prompt: 'A bird' })
  t.match(png.data![0]!.revised_prompt, 'model sdxl.')
  t.equal(Buffer.from(png.data![0]!.b64_json!, 'base64').toString('hex', 0, 8), PNG_SIGNATURE)
  t.match((await openai.images.generate({ model: 'dall-e-3', prompt: 'A bird' })).data![0]!.revised_prompt, 'model dall-e-3.')

  const image = () => toFile(Buffer.from(png.data![0]!.b64_json!, 'base64'), 'a.png', { type: 'image/png' })
  t.match((await openai.images.edit({ image: await image(), prompt: 'More' })).data![0]!.revised_prompt, 'model sdxl.')
  t.match((await openai.images.edit({ model: 'dall-e-2', image: await image(), prompt: 'More' })).data![0]!.revised_prompt, 'model dall-e-2.')
  t.match((await openai.images.createVariation({ image: await image() })).data![0]!.revised_prompt, 'model sdxl.')
})

test('speech and transcription', async t => {
  const { openai, standIn } = await start(t, { DEFAULT_SPEECH_MODEL: 'tts-1' })
  for (const [model, asked] of [['', 'tts-1'], ['tts-1-hd', 'tts-1-hd']] as const) {
    const response = await openai.audio.speech.create({ model, voice: 'alloy', input: 'Hello', response_format: 'wav' })
    t.equal(response.headers.get('x-model'), asked)
    t.equal(Buffer.from(await response.arrayBuffer()).toString('latin1', 8, 12), 'WAVE')
  }
  const recording = Buffer.alloc(200_000, 7)
  const { text } = await openai.audio.transcriptions.create({ model: 'whisper-1', file: await toFile(recording, 'a.wav') })
  t.match(text, 'model whisper-1. It does not listen: the file has 200000 bytes.')
  const unnamed = await openai.audio.transcriptions.create({ model: undefined as never, file: await toFile(recording, 'a.wav') })
  t.match(unnamed.text, 'model tts-1. It does not listen: the file has 200000 bytes.')
  t.match((await openai.audio.translations.create({ model: 'whisper-1', file: await toFile(recording, 'a.wav') })).text, 'model whisper-1.')
  t.equal(standIn.requests.length, 5)
})

test('embeddings', async t => {
  const { openai } = await start(t)
  const { data } = await openai.embeddings.create({ model: 'e5', input: ['a cat', 'a dog'] })
  t.equal(data.length, 2)
  t.equal(data[0]!.embedding.length, 8)
})

test('lists the models, and retrieves each of them', async t => {
  const { openai, gateway } = await start(t)
  const page = await openai.models.list()
  const catalog = await (await fetch(`${gateway.url}/v1/models`)).json() as { id: string }[]
  t.ok(catalog.length > 0)
  t.strictSame(page.data.map(model => model.id), catalog.map(model => model.id))
  for (const model of page.data) t.strictSame(await openai.models.retrieve(model.id), model)
  await t.rejects(openai.models.retrieve('no/such model'), { status: 404, code: 'model_not_found', message: /no\/such model/ })
})

test('a model whose id has slashes', async t => {
  const directory = t.testdir({ 'catalog.json': JSON.stringify({ chat: [{ id: 'meta-llama/Llama-3.1-8B', name: 'Llama 3.1 8B', description: 'Open weights', contextLength: 131072 }] }) })
  const { openai } = await start(t, { CATALOG_FILE: `${directory}/catalog.json`, DEFAULT_CHAT_MODEL: 'meta-llama/Llama-3.1-8B' })
  const model = await openai.models.retrieve('meta-llama/Llama-3.1-8B')
  t.match(model, { id: 'meta-llama/Llama-3.1-8B', object: 'model', max_model_len: 131072 })
  t.match((await openai.chat.completions.create({ model: '', messages })).model, 'meta-llama/Llama-3.1-8B')
})

test('errors: the inference service\'s own, and the gateway\'s', async t => {
  const { openai, standIn } = await start(t)
  const error: any = await openai.chat.completions.create({ model: 'm', messages }, { headers: { 'x-stand-in-status': '429', 'x-stand-in-retry-after': '7' } }).catch(error => error)
  t.ok(error instanceof OpenAI.RateLimitError)
  t.match(error, { status: 429, message: /The stand-in was told to answer 429\./ })
  t.equal(error.headers.get('retry-after'), '7')
  await t.rejects(openai.chat.completions.create({ model: 'm', messages }, { headers: { 'x-stand-in-status': '400' } }), { status: 400, message: /told to answer 400/ })
  await t.rejects(openai.post('/nothing', { body: {} }), { status: 404, code: 'not_found', message: /no route POST/ })
  await standIn.close()
  await t.rejects(openai.chat.completions.create({ model: 'm', messages }), { status: 502, code: 'upstream_unreachable', message: /cannot be reached/ })
})

test('a stream that breaks midway is an error, not a short answer', async t => {
  const { openai } = await start(t)
  for (const how of ['fin', 'rst']) {
    const stream = await openai.chat.completions.create({ model: 'm', messages, stream: true }, { headers: { 'x-stand-in-break-after': '3', 'x-stand-in-break-with': how } })
    let text = ''
    await t.rejects(async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
    }, { message: /inference service/ }, how)
    t.equal(text, 'You asked the', 'what had arrived is delivered')
    await t.rejects(openai.chat.completions.create({ model: 'm', messages }, { headers: { 'x-stand-in-break-after': '3', 'x-stand-in-break-with': how } }))
  }
})

test('a reader that breaks off stops the inference service', async t => {
  const { openai, standIn } = await start(t)
  const stream = await openai.chat.completions.create({ model: 'm', messages, stream: true }, { headers: { 'x-stand-in-tokens': '100000', 'x-stand-in-tokens-per-second': '100' } })
  for await (const chunk of stream) {
    if (chunk.choices[0]?.delta.content) break
  }
  const left = performance.now()
  const { abortedAt } = await standIn.waitFor(request => request.aborted)
  t.ok(abortedAt! - left < 250, `after ${abortedAt! - left} ms`)
})
