// The stand-in is what every other test leans on: it must answer as an
// OpenAI-shaped service does, misbehave exactly as told, and record exactly
// what reached it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { inflateSync } from 'node:zlib'
import { test, type Test } from 'tap'
import { startFakeInference, type StandInOptions } from './fake-inference.ts'
import { nodeCommand } from './spawn.ts'

async function start (t: Test, options: StandInOptions = {}) {
  const standIn = await startFakeInference(options)
  t.teardown(() => standIn.close())
  const post = (path: string, body: unknown, headers: Record<string, string> = {}, signal?: AbortSignal) =>
    fetch(standIn.url + path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body), ...(signal && { signal }) })
  return { standIn, post }
}

const json = async (response: Response): Promise<any> => response.json()
const ask = { model: 'sdxl', messages: [{ role: 'user', content: 'Hello there' }] }
const events = (text: string) => text.split('\n\n').filter(Boolean).map(event => event.split('\n').at(-1)!.slice('data: '.length))

test('chat says back the model it was asked for, below /v1 and without it', async t => {
  const { post } = await start(t)
  for (const path of ['/chat/completions', '/v1/chat/completions']) {
    const response = await post(path, ask)
    t.equal(response.status, 200)
    t.equal(response.headers.get('server'), 'inference stand-in')
    const body = await json(response)
    t.match(body.choices[0].message, { role: 'assistant', content: /asked the stand-in for model sdxl\..*Hello there$/ })
    t.equal(body.usage.total_tokens, body.usage.prompt_tokens + body.usage.completion_tokens)
    t.equal(body.model, 'sdxl')
  }
  t.match((await json(await post('/v1/chat/completions', { messages: [] }))).choices[0].message.content, '(none named)')
})

test('a streamed chat is one event per token, usage where asked for, and [DONE]', async t => {
  const { post } = await start(t, { tokens: 12 })
  const plain = events(await (await post('/v1/chat/completions', { ...ask, stream: true })).text())
  t.equal(plain.pop(), '[DONE]')
  const chunks = plain.map(event => JSON.parse(event))
  t.equal(chunks.length, 1 + 12 + 1)
  t.match(chunks.map(c => c.choices[0].delta.content ?? '').join(''), /^You asked the stand-in for model sdxl\./)
  t.equal(chunks.at(-1).choices[0].finish_reason, 'stop')

  const response = await post('/v1/chat/completions', { ...ask, stream: true, stream_options: { include_usage: true } })
  t.equal(response.headers.get('content-type'), 'text/event-stream')
  const usage = JSON.parse(events(await response.text()).at(-2)!)
  t.match(usage, { choices: [], usage: { completion_tokens: 12 } })
})

test('completions, responses, embeddings and models have their shapes', async t => {
  const { post, standIn } = await start(t)
  t.match(await json(await post('/v1/completions', { model: 'm', prompt: 'Hi' })), { object: 'text_completion', choices: [{ text: /model m\./ }] })
  t.equal(events(await (await post('/v1/completions', { model: 'm', prompt: 'Hi', stream: true })).text()).at(-1), '[DONE]')
  t.match(await json(await post('/v1/responses', { model: 'm', input: 'Hi' })), { object: 'response', status: 'completed', output: [{ content: [{ text: /model m\..*Hi/ }] }] })
  const types = events(await (await post('/v1/responses', { model: 'm', input: 'Hi', stream: true })).text()).map(e => JSON.parse(e).type)
  t.equal(types[0], 'response.created')
  t.equal(types.at(-1), 'response.completed')
  const floats = (await json(await post('/v1/embeddings', { model: 'm', input: ['a', 'b'] }))).data
  t.equal(floats.length, 2)
  t.not(floats[0].embedding.join(), floats[1].embedding.join())
  const packed = (await json(await post('/v1/embeddings', { model: 'm', input: 'a', encoding_format: 'base64' }))).data[0].embedding
  t.strictSame([...new Float32Array(new Uint8Array(Buffer.from(packed, 'base64')).buffer)], floats[0].embedding)
  t.match(await json(await fetch(standIn.url + '/models')), { object: 'list', data: [{ id: 'gemini-1.5-flash', object: 'model', max_model_len: 1048576 }] })
})

test('Anthropic\'s messages: whole, streamed, counted, and errors in that API\'s shape', async t => {
  const { post } = await start(t, { tokens: 5 })
  const ask = { model: 'm', max_tokens: 10, messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }] }
  t.match(await json(await post('/v1/messages', ask)), { type: 'message', role: 'assistant', model: 'm', stop_reason: 'end_turn', content: [{ type: 'text', text: 'You asked the stand-in for' }], usage: { output_tokens: 5 } })
  const stream = (await (await post('/v1/messages', { ...ask, stream: true })).text()).split('\n\n').filter(Boolean)
  const names = stream.map(event => /^event: (\w+)\n/.exec(event)![1])
  t.strictSame(names, ['message_start', 'content_block_start', 'ping', ...Array(5).fill('content_block_delta'), 'content_block_stop', 'message_delta', 'message_stop'])
  for (const [i, event] of stream.entries()) t.equal(JSON.parse(event.split('data: ')[1]!).type, names[i])
  t.ok((await json(await post('/v1/messages/count_tokens', ask))).input_tokens > 0)
  const { max_tokens: _, ...incomplete } = ask
  const missing = await post('/v1/messages', incomplete)
  t.equal(missing.status, 400)
  t.match(await json(missing), { type: 'error', error: { type: 'invalid_request_error', message: /max_tokens/ } })
  t.match(await json(await post('/messages', ask, { 'x-stand-in-status': '529' })), { type: 'error', error: { type: 'overloaded_error' } })
})

test('an image is a PNG, the same each time', async t => {
  const { post } = await start(t)
  const body = await json(await post('/v1/images/generations', { model: 'sdxl', prompt: 'A bird', n: 2 }))
  t.match(body.data, [{ revised_prompt: /model sdxl\..*A bird/ }, {}])
  const png = Buffer.from(body.data[0].b64_json, 'base64')
  t.equal(png.subarray(0, 8).toString('hex'), '89504e470d0a1a0a')
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)]
  const data = png.indexOf('IDAT')
  const pixels = inflateSync(png.subarray(data + 4, data + 4 + png.readUInt32BE(data - 4)))
  t.equal(pixels.length, height * (1 + width * 3))
  const again = await json(await post('/v1/images/generations', { model: 'sdxl', prompt: 'A bird' }))
  t.equal(again.data[0].b64_json, body.data[0].b64_json)
})

test('multipart: image edits and transcriptions read the model and the file', async t => {
  const { standIn } = await start(t)
  const send = async (path: string, fields: Record<string, string>, file: string) => {
    const form = new FormData()
    for (const [name, value] of Object.entries(fields)) form.append(name, value)
    form.append(file, new Blob(['x'.repeat(1234)]), 'a.bin')
    return fetch(standIn.url + path, { method: 'POST', body: form })
  }
  t.match(await json(await send('/v1/audio/transcriptions', { model: 'whisper' }, 'file')), { text: /model whisper\..*1234 bytes/ })
  t.match(await json(await send('/audio/translations', { model: 'whisper' }, 'file')), { text: /model whisper\./ })
  t.match(await json(await send('/v1/images/edits', { model: 'sdxl', prompt: 'x' }, 'image')), { data: [{ revised_prompt: /model sdxl\./ }] })
  t.match(await json(await send('/v1/images/variations', {}, 'image')), { data: [{ revised_prompt: /none named/ }] })
  t.equal((await send('/v1/audio/transcriptions', {}, 'other')).status, 400)
})

test('speech is a WAV file that a player takes', async t => {
  const { post } = await start(t)
  const response = await post('/v1/audio/speech', { model: 'tts-1', input: 'Hi' })
  t.equal(response.headers.get('content-type'), 'audio/wav')
  t.equal(response.headers.get('x-model'), 'tts-1')
  t.notOk((await post('/v1/audio/speech', { input: 'Hi' })).headers.has('x-model'), 'nothing is named where nothing was asked for')
  const wav = Buffer.from(await response.arrayBuffer())
  t.equal(wav.toString('latin1', 0, 4) + wav.toString('latin1', 8, 16), 'RIFFWAVEfmt ')
  t.equal(wav.readUInt32LE(4), wav.length - 8)
  t.equal(wav.readUInt32LE(40), wav.length - 44)
  t.ok(Math.max(...Array.from({ length: 100 }, (_, i) => wav.readInt16LE(44 + i * 2))) > 5000, 'not silence')
})

test('unknown paths, unreadable bodies and unreadable steering are OpenAI-shaped errors', async t => {
  const { standIn, post } = await start(t)
  const shape = { error: { message: /stand-in/, type: 'invalid_request_error', param: null, code: null } }
  for (const path of ['/v1/nothing', '/v1/load_lora_adapter', '/']) {
    const response = await post(path, {})
    t.equal(response.status, 404)
    t.match(await json(response), shape)
  }
  const bad = await fetch(standIn.url + '/v1/chat/completions', { method: 'POST', body: '{' })
  t.equal(bad.status, 400)
  t.match(await json(bad), shape)
  for (const [name, value] of [['tokens', 'many'], ['status', '99'], ['break-with', 'hammer']] as const) {
    const response = await post('/v1/chat/completions', ask, { [`x-stand-in-${name}`]: value })
    t.equal(response.status, 400, name)
  }
})

test('status and Retry-After, by option, by header and by query', async t => {
  const { standIn, post } = await start(t, { status: 503 })
  t.equal((await post('/v1/chat/completions', ask)).status, 503)
  const response = await post('/v1/chat/completions?x-stand-in-retry-after=7', ask, { 'x-stand-in-status': '429' })
  t.equal(response.status, 429)
  t.equal(response.headers.get('retry-after'), '7')
  t.match(await json(response), { error: { type: 'rate_limit_error', message: /told to answer 429/ } })
  t.equal((await fetch(standIn.url + '/v1/models?x-stand-in-status=500')).status, 500)
})

test('first-token delay and speed', async t => {
  const { post } = await start(t)
  const began = performance.now()
  const response = await post('/v1/chat/completions', { ...ask, stream: true }, { 'x-stand-in-first-token-delay': '150', 'x-stand-in-tokens-per-second': '50', 'x-stand-in-tokens': '6' })
  const headers = performance.now() - began
  const reader = response.body!.getReader()
  await reader.read()
  const first = performance.now() - began
  while (!(await reader.read()).done);
  const whole = performance.now() - began
  t.ok(headers < first, 'headers come before the first token')
  t.ok(first >= 145, `first token after ${first} ms`)
  // From the start: a busy machine may have read the first one late.
  t.ok(whole >= 240, `five more tokens take 100 ms, the whole took ${whole}`)
  const plain = performance.now()
  await post('/v1/chat/completions', ask, { 'x-stand-in-first-token-delay': '100' })
  t.ok(performance.now() - plain >= 95, 'a plain answer waits with its headers')
})

/** All bytes of a raw exchange, and how the connection ended. */
async function raw (port: number, request: string) {
  const socket = connect(port, '127.0.0.1')
  socket.write(request)
  let text = ''
  let code: string | undefined
  socket.on('data', chunk => { text += chunk })
  socket.on('error', (error: NodeJS.ErrnoException) => { code = error.code })
  socket.on('end', () => { code ??= 'FIN' })
  await once(socket, 'close').catch(() => once(socket, 'close'))
  return { text, code }
}

function wire (steering: Record<string, string>, stream = true) {
  const body = JSON.stringify({ ...ask, stream })
  const headers = Object.entries(steering).map(([name, value]) => `x-stand-in-${name}: ${value}\r\n`).join('')
  return `POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n${headers}content-length: ${body.length}\r\n\r\n${body}`
}

test('breaks midway with a FIN or an RST, without the end of the answer', async t => {
  const { standIn } = await start(t)
  for (const [how, code] of [['fin', 'FIN'], ['rst', 'ECONNRESET']] as const) {
    const stream = await raw(standIn.port, wire({ 'break-after': '3', 'break-with': how }))
    t.equal(stream.code, code)
    t.match(stream.text, 'the')
    t.equal(stream.text.match(/"content":"[^"]/g)?.length, 3)
    t.notMatch(stream.text, /\[DONE\]|\r\n0\r\n/)
    const whole = await raw(standIn.port, wire({ 'break-after': '3', 'break-with': how }, false))
    t.equal(whole.code, code)
    const [head, body] = whole.text.split('\r\n\r\n') as [string, string]
    const length = Number(/content-length: (\d+)/.exec(head)![1])
    t.equal(body.length, Math.floor(length / 2))
  }
  const nothing = await raw(standIn.port, wire({ 'break-after': '0' }))
  t.match(nothing.text, /\r\n\r\n$/, 'after 0 tokens: headers only')
  t.notOk(standIn.requests.some(r => r.aborted), 'its own breaks are not the caller\'s')
})

test('stalls, and records that the caller went away', async t => {
  const { standIn, post } = await start(t)
  for (const [stream, after] of [[true, '2'], [true, '0'], [false, '0']] as const) {
    const caller = new AbortController()
    const response = await post(`/v1/chat/completions?case=${stream}${after}`, { ...ask, stream }, { 'x-stand-in-stall-after': after }, caller.signal)
    t.equal(response.status, 200)
    const record = await standIn.waitFor(r => r.url.endsWith(`${stream}${after}`))
    t.equal(record.aborted, false)
    const left = performance.now()
    caller.abort()
    await standIn.waitFor(r => r === record && r.aborted)
    t.ok(record.abortedAt! >= left && record.abortedAt! - left < 1000)
    t.equal(record.answered, false)
    await response.text().catch(() => {})
  }
})

test('records what was on the wire, also of a request that never ends', async t => {
  const { standIn, post } = await start(t, { keepBody: 10 })
  await post('/v1/chat/completions?a=%20b', ask, { 'X-Case': 'Kept' })
  const record = await standIn.waitFor(r => r.answered)
  t.equal(record.url, '/v1/chat/completions?a=%20b')
  t.match(record.rawHeaders.join(), /X-Case,Kept/i)
  t.equal(record.body.toString(), JSON.stringify(ask).slice(0, 10))
  t.equal(record.bodyLength, JSON.stringify(ask).length)
  t.match(record, { complete: true, aborted: false, method: 'POST' })

  const socket = connect(standIn.port, '127.0.0.1')
  socket.write('POST /half HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf')
  const half = await standIn.waitFor(r => r.url === '/half' && r.bodyLength === 4)
  socket.destroy()
  await standIn.waitFor(r => r === half && r.aborted)
  t.equal(half.complete, false)
  await t.rejects(standIn.waitFor(r => r.url === '/never', 30), /saw no such request in 30 ms, only: POST \/v1/)
})

test('a reader that stops reading holds the answer back', async t => {
  const { standIn } = await start(t)
  const socket = connect(standIn.port, '127.0.0.1')
  socket.pause()
  socket.write(wire({ tokens: '1000000000' }))
  await standIn.waitFor(r => r.complete)
  await new Promise(resolve => setTimeout(resolve, 200))
  const before = process.memoryUsage().arrayBuffers
  await new Promise(resolve => setTimeout(resolve, 200))
  t.ok(process.memoryUsage().arrayBuffers - before < 8_000_000)
  socket.destroy()
  await standIn.waitFor(r => r.aborted)
})

test('runs by itself: says what it is, stops on SIGTERM, and a port in use is one line', async t => {
  const run = (...flags: string[]) => {
    const child = spawn(...nodeCommand(['test/fake-inference.ts', ...flags]), { stdio: ['ignore', 'pipe', 'pipe'] })
    const out = { text: '' }
    child.stdout.on('data', chunk => { out.text += chunk })
    child.stderr.on('data', chunk => { out.text += chunk })
    t.teardown(() => child.kill('SIGKILL'))
    return { child, out }
  }
  const first = run('--port', '0', '--status', '418')
  await once(first.child.stdout, 'data')
  const [, url, port] = /^inference stand-in \(no AI\) listening on (http:\/\/127\.0\.0\.1:(\d+))\n$/.exec(first.out.text)!
  t.equal((await fetch(`${url}/v1/models`)).status, 418)

  const second = run('--port', port!)
  t.equal((await once(second.child, 'close'))[0], 1)
  t.equal(second.out.text, `inference stand-in: port ${port} is in use\n`)

  const third = run('--tokens', 'many')
  t.equal((await once(third.child, 'close'))[0], 1)
  t.equal(third.out.text, 'inference stand-in: not a number of 0 or more: many\n')

  first.child.kill('SIGTERM')
  t.equal((await once(first.child, 'close'))[0], 0)
})
