// The list as the frontend and OpenAI clients read it: shapes, order, lookup of
// ids with slashes, and revalidation by content tags.
import { request as httpRequest } from 'node:http'
import t from 'tap'
import { rawClient } from '../helper.ts'
import { startApp, tempFile } from './helper.ts'

const SEED = {
  chat: [
    { id: 'gemini-2.5-flash-preview-04-17', name: 'Gemini 2.5 Flash Preview 04-17', description: 'Latest preview model with enhanced capabilities', contextLength: 1048576 },
    { id: 'gemini-1.5-pro', name: 'Gemini 1.5 Pro', description: 'Advanced reasoning and long context', contextLength: 2097152 },
    { id: 'gemini-1.5-flash', name: 'Gemini 1.5 Flash', description: 'Fast and efficient for most tasks', contextLength: 1048576 }
  ],
  image: [
    { id: 'sdxl', name: 'Stable Diffusion XL', description: 'High-quality image generation', provider: 'StabilityAI' },
    { id: 'sdxl-lightning', name: 'SDXL-Lightning', description: 'Fast SDXL variant', provider: 'StabilityAI' },
    { id: 'flux-schnell', name: 'Flux Schnell', description: 'Fast image generation', provider: 'Flux' },
    { id: 'flux-pro', name: 'Flux Pro', description: 'High-quality image generation', provider: 'Flux' }
  ]
}

const get = async (url: string, headers: Record<string, string> = {}) => {
  const response = await fetch(url, { headers, cache: 'no-store' })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, json: text === '' ? undefined : JSON.parse(text) }
}

t.test('the built-in list, byte for byte in values, order and keys', async t => {
  const { url } = await startApp(t)
  const all = await get(`${url}/v1/models`)
  t.equal(all.status, 200)
  t.equal(all.text, JSON.stringify([...SEED.chat, ...SEED.image]))
  t.equal(all.headers.get('content-type'), 'application/json; charset=utf-8')
  t.equal(all.headers.get('cache-control'), 'no-cache')
  t.equal((await get(`${url}/v1/models?type=chat`)).text, JSON.stringify(SEED.chat))
  t.equal((await get(`${url}/v1/models?type=image`)).text, JSON.stringify(SEED.image))
  t.equal((await get(`${url}/v1/models?type=speech`)).text, '[]')
})

t.test('a type that is none is a 400 that names the field', async t => {
  const { url } = await startApp(t)
  for (const query of ['type=video', 'type=', 'type=chat&type=image', 'type=CHAT']) {
    const { status, json } = await get(`${url}/v1/models?${query}`)
    t.equal(status, 400, query)
    t.match(json, { error: { param: 'type', code: 'invalid_value', type: 'invalid_request_error' } })
  }
  t.equal((await get(`${url}/v1/models?other=1`)).status, 200, 'an unknown parameter is nobody\'s business')
})

t.test('one model: the full record, and 404 for one that is not there', async t => {
  const { url } = await startApp(t)
  const chat = await get(`${url}/v1/models/gemini-1.5-pro`)
  t.same(chat.json, { ...SEED.chat[1], type: 'chat', createdAt: '2025-05-01T00:00:00.000Z' })
  t.same(Object.keys(chat.json), ['id', 'name', 'description', 'type', 'contextLength', 'createdAt'])
  t.same(Object.keys((await get(`${url}/v1/models/sdxl`)).json), ['id', 'name', 'description', 'type', 'provider', 'createdAt'])
  for (const path of ['/v1/models/nope', '/openai/v1/models/nope', '/v1/models/', '/v1/models/__proto__', `/v1/models/${'x'.repeat(300)}`]) {
    const { status, json } = await get(url + path)
    t.equal(status, 404, path)
    t.match(json, { error: { code: 'model_not_found', param: 'id' } })
  }
})

t.test('ids with slashes and other characters of a URL, plain and escaped', async t => {
  const ids = ['org/model', 'a/b/c', 'with space', '100%', 'q?x#y', 'ünï/模型', 'x:y@z']
  const file = tempFile(t, JSON.stringify({ chat: ids.map(id => ({ id, name: id, description: '' })) }))
  const { url } = await startApp(t, { CATALOG_FILE: file })
  for (const prefix of ['/v1/models/', '/openai/v1/models/']) {
    for (const id of ids) t.equal((await get(url + prefix + encodeURIComponent(id))).json.id, id)
    t.equal((await get(`${url}${prefix}org/model`)).json.id, 'org/model')
  }
})

t.test('OpenAI\'s shapes', async t => {
  const { url } = await startApp(t)
  const { json } = await get(`${url}/openai/v1/models`)
  t.same(Object.keys(json), ['object', 'data'])
  t.equal(json.object, 'list')
  t.same(json.data.map((model: { id: string }) => model.id), [...SEED.chat, ...SEED.image].map(model => model.id))
  t.same(json.data[1], { id: 'gemini-1.5-pro', object: 'model', created: 1746057600, owned_by: 'model-gateway', name: 'Gemini 1.5 Pro', description: 'Advanced reasoning and long context', type: 'chat', context_length: 2097152, max_model_len: 2097152 })
  t.same(json.data[3], { id: 'sdxl', object: 'model', created: 1746057600, owned_by: 'StabilityAI', name: 'Stable Diffusion XL', description: 'High-quality image generation', type: 'image' })
  t.same((await get(`${url}/openai/v1/models/sdxl`)).json, json.data[3])
})

t.test('capabilities: in the full record and in OpenAI\'s shape, also in OpenRouter\'s words; never in the list', async t => {
  const capabilities = { input: ['text', 'image'], output: ['text'], tools: true, reasoning: false }
  const models = [{ id: 'sees', name: 'Sees', description: '', capabilities }, { id: 'calls', name: 'Calls', description: '', capabilities: { structuredOutput: true } }, { id: 'plain', name: 'Plain', description: '' }]
  const { url } = await startApp(t, { CATALOG_FILE: tempFile(t, JSON.stringify({ chat: models })) })
  t.same((await get(`${url}/v1/models`)).json.map((model: object) => Object.keys(model)), models.map(() => ['id', 'name', 'description', 'contextLength']))
  t.same((await get(`${url}/v1/models/sees`)).json.capabilities, capabilities)
  t.notOk('capabilities' in (await get(`${url}/v1/models/plain`)).json)
  const [sees, calls, plain] = (await get(`${url}/openai/v1/models`)).json.data
  t.match(sees, { type: 'chat', capabilities, architecture: { input_modalities: ['text', 'image'], output_modalities: ['text'] }, supported_parameters: ['tools'] })
  t.match(calls, { capabilities: { structuredOutput: true }, supported_parameters: ['structured_outputs'] })
  t.notOk('architecture' in calls)
  t.same(Object.keys(plain), ['id', 'object', 'created', 'owned_by', 'name', 'description', 'type', 'context_length', 'max_model_len'])
  t.same((await get(`${url}/openai/v1/models/sees`)).json, sees)
})

t.test('speech models come last, in the shape of image models; inactive ones not at all', async t => {
  const file = tempFile(t, JSON.stringify({
    speech: [{ id: 'tts', name: 'TTS', description: 'd', provider: 'p', contextLength: 5 }],
    image: [{ id: 'pic', name: 'Pic', description: '' }],
    chat: [{ id: 'off', name: 'Off', description: '', isActive: false }, { id: 'talk', name: 'Talk', description: '' }]
  }))
  const { url, log } = await startApp(t, { CATALOG_FILE: file, DEFAULT_IMAGE_MODEL: 'talk', DEFAULT_SPEECH_MODEL: 'tts' })
  t.same((await get(`${url}/v1/models`)).json, [
    { id: 'talk', name: 'Talk', description: '', contextLength: 1048576 },
    { id: 'pic', name: 'Pic', description: '' },
    { id: 'tts', name: 'TTS', description: 'd', provider: 'p' }
  ])
  t.equal((await get(`${url}/v1/models/off`)).status, 404)
  t.same(log, [
    'DEFAULT_CHAT_MODEL names the model \'gemini-1.5-flash\', which is not in the catalog',
    'DEFAULT_IMAGE_MODEL names the model \'talk\', which is of type chat, not image'
  ])
})

t.test('the built-in list has the default models: no warning', async t => {
  t.same((await startApp(t)).log, [])
})

t.test('an unchanged answer costs a 304', async t => {
  const { url } = await startApp(t)
  const tags = new Set<string>()
  for (const path of ['/v1/models', '/v1/models?type=chat', '/openai/v1/models', '/v1/models/sdxl', '/openai/v1/models/sdxl']) {
    const tag = (await get(url + path)).headers.get('etag') as string
    t.match(tag, /^"[\w-]{22}"$/, 'strong')
    tags.add(tag)
    for (const header of [tag, `W/${tag}`, `"other", ${tag}`, `"a,b" ,W/${tag}, "z"`, '*', ' * ']) {
      const { status, headers, text } = await get(url + path, { 'if-none-match': header })
      t.equal(status, 304, `${path} ${header}`)
      t.equal(text, '')
      t.equal(headers.get('etag'), tag)
      t.equal(headers.get('cache-control'), 'no-cache')
    }
    for (const header of ['"other"', tag.slice(1, -1), `"x${tag.slice(1)}`, `"a,${tag.slice(1, -1)},b"`, '']) {
      t.equal((await get(url + path, { 'if-none-match': header })).status, 200, `${path} ${header}`)
    }
  }
  t.equal(tags.size, 5, 'each content has its own tag')
  const { headers } = await get(`${url}/v1/models`)
  t.equal((await get(`${url}/openai/v1/models`, { 'if-none-match': headers.get('etag') as string })).status, 200, 'a tag is good for its own content only')
  t.equal((await get(`${url}/v1/models/none`, { 'if-none-match': '*' })).status, 404)
})

t.test('with API keys on, no shared cache may keep the list', async t => {
  const { url } = await startApp(t, { API_KEYS: 'k' })
  t.equal((await get(`${url}/v1/models`)).headers.get('cache-control'), 'private, no-cache')
})

t.test('HEAD has the headers of GET and no body', async t => {
  const { url } = await startApp(t)
  for (const path of ['/v1/models', '/v1/models/sdxl', '/openai/v1/models']) {
    const { headers, text } = await get(url + path)
    const head = await new Promise<{ status: number | undefined, headers: Record<string, unknown>, body: string }>((resolve, reject) => {
      httpRequest(url + path, { method: 'HEAD', agent: false }, response => {
        let body = ''
        response.on('data', chunk => { body += chunk }).on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }))
      }).on('error', reject).end()
    })
    t.match(head, { status: 200, body: '', headers: { etag: headers.get('etag'), 'content-length': String(Buffer.byteLength(text)), 'content-type': headers.get('content-type'), 'cache-control': 'no-cache' } })
  }
})

t.test('the same answer on a socket of its own, behind another one, and by inject', async t => {
  const { app, url } = await startApp(t)
  for (const path of ['/v1/models', '/v1/models?type=image', '/v1/models/sdxl', '/openai/v1/models']) {
    const injected = await app.inject(path)
    const alone = await get(url + path)
    t.equal(injected.statusCode, 200)
    t.equal(injected.body, alone.text)
    const named = (headers: Record<string, unknown>) => Object.fromEntries(['content-type', 'content-length', 'cache-control', 'cache-status', 'etag'].map(name => [name, headers[name]]))
    t.same(named(injected.headers), named(Object.fromEntries(alone.headers)))
    const request = `GET ${path} HTTP/1.1\r\nhost: gateway\r\n\r\n`
    const client = await rawClient(Number(new URL(url).port), request + request + request)
    t.equal((await client.until(/(HTTP[^]*){3}\r\n\r\n[^]*[\]}]$/)).split('\r\n\r\n').filter(part => part.includes(alone.text)).length, 3)
    client.socket.destroy()
    const { statusCode, body, headers } = await app.inject({ url: path, headers: { 'if-none-match': String(injected.headers.etag) } })
    t.match({ statusCode, body, headers }, { statusCode: 304, body: '', headers: { etag: injected.headers.etag, 'cache-control': 'no-cache' } })
  }
})

t.test('a long list reaches a slow reader whole', async t => {
  const chat = Array.from({ length: 20000 }, (_, i) => ({ id: `model-${i}`, name: `Model ${i} ü`, description: 'x'.repeat(300) }))
  const { url } = await startApp(t, { CATALOG_FILE: tempFile(t, JSON.stringify({ chat })) })
  const client = await rawClient(Number(new URL(url).port), 'GET /v1/models HTTP/1.1\r\nhost: gateway\r\n\r\nGET /v1/models?type=speech HTTP/1.1\r\nhost: gateway\r\n\r\n')
  client.socket.pause()
  await new Promise(resolve => setTimeout(resolve, 100))
  client.socket.resume()
  const text = await client.until(/\r\n\r\n\[\]$/)
  const [head = '', body = ''] = text.split('\r\n\r\n')
  const length = Number(/content-length: (\d+)/.exec(head)?.[1])
  t.equal(JSON.parse(Buffer.from(body.slice(0, length), 'latin1').toString()).length, chat.length)
  t.match(body.slice(length), /^HTTP\/1\.1 200 OK/, 'the next answer begins where this one ends')
  client.socket.destroy()
})
