/**
 * The inference stand-in, for tests and the demo. It answers OpenAI's APIs (chat,
 * responses, images, speech) and Anthropic's messages without a model. Bare
 * node:http, so that it shares no code with the gateway.
 *
 *   node test/fake-inference.ts --port 8001 --first-token-delay 200 --tokens-per-second 20
 *
 * Every flag of {@link StandInBehaviour} can also be set for one request, by a
 * header or a query parameter: `x-stand-in-status: 429`, `?x-stand-in-stall-after=3`.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { crc32, deflateSync } from 'node:zlib'

/** How the stand-in answers. Absent: at once, whole, with status 200. */
export interface StandInBehaviour {
  /** Milliseconds before the first token. A streamed answer's headers go out before it, as vLLM's do. */
  firstTokenDelay?: number
  /** Tokens in a second. */
  tokensPerSecond?: number
  /** Tokens in the answer. */
  tokens?: number
  /** Breaks the connection after that many tokens (an answer in one piece: after half of its bytes). */
  breakAfter?: number
  /** How it breaks: an early FIN (default) or an RST. */
  breakWith?: 'fin' | 'rst'
  /** Stops sending after that many tokens, and keeps the connection open. */
  stallAfter?: number
  /** Answers with this status and an error body. */
  status?: number
  /** The `Retry-After` of an answer made by `status`. */
  retryAfter?: string
}

/** Options of {@link startFakeInference}. */
export interface StandInOptions extends StandInBehaviour {
  /** Default 0: the system picks one. */
  port?: number
  host?: string
  /** What `GET models` lists, with their context lengths. */
  models?: Record<string, number>
  /** Bytes of a request's body that are kept. Default: all. */
  keepBody?: number
}

/** One request that reached the stand-in; updated while it runs. */
export interface RecordedRequest {
  readonly method: string
  /** As received, with the query. */
  readonly url: string
  readonly headers: IncomingMessage['headers']
  /** Names and values alternating, as received. */
  readonly rawHeaders: string[]
  /** The kept bytes so far. */
  readonly body: Buffer
  /** Number of bytes so far, kept or not. */
  bodyLength: number
  /** The whole request has arrived. */
  complete: boolean
  /** The whole answer has been sent. */
  answered: boolean
  /** The client left before the whole answer was sent. */
  aborted: boolean
  /** Times by `performance.now()`. */
  readonly receivedAt: number
  abortedAt: number | undefined
}

/** A running stand-in. */
export interface FakeInference {
  readonly url: string
  readonly port: number
  readonly requests: RecordedRequest[]
  /** The first recorded request that matches the predicate, now or within `timeout` milliseconds. */
  waitFor (predicate: (request: RecordedRequest) => boolean, timeout?: number): Promise<RecordedRequest>
  /** Cuts every connection and stops listening. */
  close (): Promise<void>
}

const MODELS = { 'gemini-1.5-flash': 1048576, 'stand-in/chat-small': 8192 }

const number = (text: string) => {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value) || value < 0) throw new BadRequest(`not a number of 0 or more: ${text}`)
  return value
}

/** Flag, header and query name of each behaviour, and its parser. */
const STEERING: Record<string, (behaviour: StandInBehaviour, text: string) => void> = {
  'first-token-delay': (b, text) => { b.firstTokenDelay = number(text) },
  'tokens-per-second': (b, text) => { b.tokensPerSecond = number(text) },
  tokens: (b, text) => { b.tokens = number(text) },
  'break-after': (b, text) => { b.breakAfter = number(text) },
  'break-with': (b, text) => {
    if (text !== 'fin' && text !== 'rst') throw new BadRequest(`neither fin nor rst: ${text}`)
    b.breakWith = text
  },
  'stall-after': (b, text) => { b.stallAfter = number(text) },
  status: (b, text) => {
    if (!/^[2-5]\d\d$/.test(text)) throw new BadRequest(`not a status from 200 to 599: ${text}`)
    b.status = Number(text)
  },
  'retry-after': (b, text) => { b.retryAfter = text }
}

class BadRequest extends Error {}

/** Starts the inference stand-in. */
export async function startFakeInference (options: StandInOptions = {}): Promise<FakeInference> {
  const { port = 0, host = '127.0.0.1', models = MODELS, keepBody = Infinity, ...defaults } = options
  const requests: RecordedRequest[] = []
  const watchers = new Set<() => void>()
  const changed = () => { for (const watch of [...watchers]) watch() }

  const server = createServer(async (req, res) => {
    const { record, body } = recordRequest(req, res, keepBody, changed)
    requests.push(record)
    changed()
    const gone = new AbortController()
    res.once('close', () => gone.abort())
    try {
      const whole = await body
      if (whole) await answer({ req, res, body: record.body, models, behaviour: steer(req, defaults), signal: gone.signal })
    } catch (error) {
      if (gone.signal.aborted) return
      if (!(error instanceof BadRequest)) throw error
      sendError(res, 400, `The stand-in cannot read this request: ${error.message}`)
    }
  })
  // Idle connections stay open, because closing them would make every test a keep-alive race.
  server.keepAliveTimeout = 0
  server.requestTimeout = 0

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => { server.off('error', reject); resolve() })
  })
  const { port: actual } = server.address() as AddressInfo

  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${actual}`,
    port: actual,
    requests,
    waitFor (predicate, timeout = 5000) {
      return new Promise((resolve, reject) => {
        const look = () => {
          const found = requests.find(predicate)
          if (found === undefined) return
          clearTimeout(timer)
          watchers.delete(look)
          resolve(found)
        }
        const timer = setTimeout(() => {
          watchers.delete(look)
          const seen = requests.map(r => `${r.method} ${r.url}${r.complete ? '' : ' (incomplete)'}${r.aborted ? ' (aborted)' : ''}`)
          reject(new Error(`the stand-in saw no such request in ${timeout} ms, only: ${seen.join(', ') || 'none'}`))
        }, timeout)
        watchers.add(look)
        look()
      })
    },
    async close () {
      const closed = new Promise<void>(resolve => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    }
  }
}

function recordRequest (req: IncomingMessage, res: ServerResponse, keep: number, changed: () => void) {
  const chunks: Buffer[] = []
  let kept = 0
  const record: RecordedRequest = {
    method: req.method!,
    url: req.url!,
    headers: req.headers,
    rawHeaders: req.rawHeaders,
    get body () { return Buffer.concat(chunks) },
    bodyLength: 0,
    complete: false,
    answered: false,
    aborted: false,
    receivedAt: performance.now(),
    abortedAt: undefined
  }
  req.on('data', (chunk: Buffer) => {
    record.bodyLength += chunk.length
    if (kept < keep) chunks.push(chunk.subarray(0, keep - kept))
    kept = Math.min(keep, kept + chunk.length)
    changed()
  })
  const body = new Promise<boolean>(resolve => {
    req.once('end', () => {
      record.complete = req.complete
      changed()
      resolve(req.complete)
    })
    req.once('error', () => resolve(false))
    res.once('close', () => {
      record.answered = res.writableFinished
      record.aborted = !res.writableFinished && !broken.has(res)
      if (record.aborted) record.abortedAt = performance.now()
      changed()
      resolve(false)
    })
  })
  return { record, body }
}

function steer (req: IncomingMessage, defaults: StandInBehaviour): StandInBehaviour {
  const behaviour = { ...defaults }
  const query = new URL(req.url!, 'http://stand-in').searchParams
  for (const [name, read] of Object.entries(STEERING)) {
    const text = req.headers[`x-stand-in-${name}`] ?? query.get(`x-stand-in-${name}`)
    if (typeof text === 'string') read(behaviour, text)
  }
  return behaviour
}

interface Exchange {
  req: IncomingMessage
  res: ServerResponse
  body: Buffer
  models: Record<string, number>
  behaviour: StandInBehaviour
  signal: AbortSignal
}

type Fields = Record<string, unknown>
type Handler = (exchange: Exchange, fields: Fields) => Promise<void>

const ROUTES: Record<string, Handler> = {
  'GET /models': listModels,
  'POST /chat/completions': chat,
  'POST /completions': complete,
  'POST /responses': respond,
  'POST /messages': sendMessage,
  'POST /messages/count_tokens': countTokens,
  'POST /images/generations': drawImage,
  'POST /images/edits': drawImage,
  'POST /images/variations': drawImage,
  'POST /audio/speech': speak,
  'POST /audio/transcriptions': hear,
  'POST /audio/translations': hear,
  'POST /embeddings': embed
}

async function answer (exchange: Exchange): Promise<void> {
  const { req, res, behaviour, signal } = exchange
  const { pathname } = new URL(req.url!, 'http://stand-in')
  const handler = ROUTES[`${req.method} ${pathname.replace(/^\/v1(?=\/)/, '')}`]
  if (handler === undefined) {
    sendError(res, 404, `The stand-in has no route ${req.method} ${pathname}`)
    return
  }
  if (behaviour.status !== undefined) {
    await pause(behaviour.firstTokenDelay ?? 0, signal)
    sendError(res, behaviour.status, `The stand-in was told to answer ${behaviour.status}.`, behaviour.retryAfter)
    return
  }
  await handler(exchange, req.method === 'GET' ? {} : await readFields(req, exchange.body))
}

async function readFields (req: IncomingMessage, body: Buffer): Promise<Fields> {
  const type = req.headers['content-type'] ?? ''
  if (type.startsWith('multipart/form-data')) {
    try {
      const form = await new Response(new Uint8Array(body), { headers: { 'content-type': type } }).formData()
      return Object.fromEntries(form)
    } catch {
      throw new BadRequest('the body is not well-formed multipart/form-data')
    }
  }
  try {
    const fields: unknown = JSON.parse(body.toString())
    if (typeof fields === 'object' && fields !== null && !Array.isArray(fields)) return fields as Fields
  } catch { /* the same answer as for JSON that is no object */ }
  throw new BadRequest('the body is not a JSON object')
}

const nameOf = (fields: Fields) => typeof fields.model === 'string' ? fields.model : '(none named)'

/** The words of the answer, one token each, as many as requested. */
function * words (fields: Fields, said: string, count?: number): Generator<string> {
  const text = `You asked the stand-in for model ${nameOf(fields)}. It is no AI: it only says back what it was asked. You said: ${said || '(nothing)'}`
  const known = text.match(/\S+/g)!
  for (let i = 0; i < (count ?? known.length); i++) yield (i === 0 ? '' : ' ') + (known[i] ?? `token${i}`)
}

function lastMessage (messages: unknown): string {
  if (typeof messages === 'string') return messages
  const content: unknown = Array.isArray(messages) ? messages.at(-1)?.content : undefined
  if (typeof content === 'string') return content
  return Array.isArray(content) ? content.map(part => part?.text ?? '').join(' ').trim() : ''
}

const created = () => Math.floor(Date.now() / 1000)
const countWords = (value: unknown) => JSON.stringify(value ?? '').split(/\s+/).length
const usage = (prompt: number, completion: number) => ({ prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion })
const sse = (data: unknown) => `data: ${JSON.stringify(data)}\n\n`

async function listModels ({ res, models }: Exchange): Promise<void> {
  sendJson(res, 200, {
    object: 'list',
    data: Object.entries(models).map(([id, length]) => ({ id, object: 'model', created: 1700000000, owned_by: 'stand-in', max_model_len: length }))
  })
}

async function chat (exchange: Exchange, fields: Fields): Promise<void> {
  const { behaviour, signal } = exchange
  const tokens = words(fields, lastMessage(fields.messages), behaviour.tokens)
  const head = { id: 'chatcmpl-stand-in', created: created(), model: nameOf(fields) }
  const prompt = countWords(fields.messages)
  if (fields.stream !== true) {
    const { text, count } = await generate(tokens, behaviour, signal)
    const message = { role: 'assistant', content: text }
    await sendWhole(exchange, 'application/json', JSON.stringify({ ...head, object: 'chat.completion', choices: [{ index: 0, message, logprobs: null, finish_reason: 'stop' }], usage: usage(prompt, count) }))
    return
  }
  const chunk = (delta: object, finish: string | null = null) => sse({ ...head, object: 'chat.completion.chunk', choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] })
  await sendTokens(exchange, 'text/event-stream', {
    * start () { yield chunk({ role: 'assistant', content: '' }) },
    tokens,
    each: token => chunk({ content: token }),
    * end (_text, count) {
      yield chunk({}, 'stop')
      if ((fields.stream_options as Fields | undefined)?.include_usage === true) {
        yield sse({ ...head, object: 'chat.completion.chunk', choices: [], usage: usage(prompt, count) })
      }
      yield 'data: [DONE]\n\n'
    }
  })
}

async function complete (exchange: Exchange, fields: Fields): Promise<void> {
  const { behaviour, signal } = exchange
  const tokens = words(fields, lastMessage(fields.prompt), behaviour.tokens)
  const head = { id: 'cmpl-stand-in', object: 'text_completion', created: created(), model: nameOf(fields) }
  const choice = (text: string, finish: string | null) => ({ ...head, choices: [{ index: 0, text, logprobs: null, finish_reason: finish }] })
  if (fields.stream !== true) {
    const { text, count } = await generate(tokens, behaviour, signal)
    await sendWhole(exchange, 'application/json', JSON.stringify({ ...choice(text, 'stop'), usage: usage(countWords(fields.prompt), count) }))
    return
  }
  await sendTokens(exchange, 'text/event-stream', {
    tokens,
    each: token => sse(choice(token, null)),
    * end () {
      yield sse(choice('', 'stop'))
      yield 'data: [DONE]\n\n'
    }
  })
}

async function respond (exchange: Exchange, fields: Fields): Promise<void> {
  const { behaviour, signal } = exchange
  const tokens = words(fields, lastMessage(fields.input), behaviour.tokens)
  const head = { id: 'resp_stand-in', object: 'response', created_at: created(), model: nameOf(fields), error: null, incomplete_details: null, instructions: null, metadata: {}, parallel_tool_calls: false, temperature: 1, top_p: 1, tool_choice: 'auto', tools: [] }
  const input = countWords(fields.input)
  const part = (text: string) => ({ type: 'output_text', text, annotations: [], logprobs: [] })
  const message = (text: string | null) => ({ type: 'message', id: 'msg_stand-in', role: 'assistant', status: text === null ? 'in_progress' : 'completed', content: text === null ? [] : [part(text)] })
  const completed = (text: string, count: number) => ({
    ...head,
    status: 'completed',
    output: [message(text)],
    usage: { input_tokens: input, input_tokens_details: { cached_tokens: 0 }, output_tokens: count, output_tokens_details: { reasoning_tokens: 0 }, total_tokens: input + count }
  })
  if (fields.stream !== true) {
    const { text, count } = await generate(tokens, behaviour, signal)
    await sendWhole(exchange, 'application/json', JSON.stringify(completed(text, count)))
    return
  }
  let sequence = 0
  const event = (type: string, data: object) => `event: ${type}\n${sse({ type, sequence_number: sequence++, ...data })}`
  const place = { item_id: 'msg_stand-in', output_index: 0, content_index: 0 }
  await sendTokens(exchange, 'text/event-stream', {
    * start () {
      const response = { ...head, status: 'in_progress', output: [], usage: null }
      yield event('response.created', { response })
      yield event('response.in_progress', { response })
      yield event('response.output_item.added', { output_index: 0, item: message(null) })
      yield event('response.content_part.added', { ...place, part: part('') })
    },
    tokens,
    each: token => event('response.output_text.delta', { ...place, delta: token, logprobs: [] }),
    * end (text, count) {
      yield event('response.output_text.done', { ...place, text, logprobs: [] })
      yield event('response.content_part.done', { ...place, part: part(text) })
      yield event('response.output_item.done', { output_index: 0, item: message(text) })
      yield event('response.completed', { response: completed(text, count) })
    }
  })
}

/** Anthropic's Messages API (docs.anthropic.com: Messages, Streaming Messages). */
async function sendMessage (exchange: Exchange, fields: Fields): Promise<void> {
  const { behaviour, signal } = exchange
  if (typeof fields.max_tokens !== 'number') throw new BadRequest('max_tokens: Field required')
  const tokens = words(fields, lastMessage(fields.messages), behaviour.tokens)
  const input = countWords([fields.system, fields.messages])
  const message = (content: object[], stopReason: string | null, output: number) => ({
    id: 'msg_stand-in',
    type: 'message',
    role: 'assistant',
    model: nameOf(fields),
    content,
    stop_reason: stopReason,
    stop_sequence: null,
    usage: { input_tokens: input, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: output, service_tier: 'standard' }
  })
  if (fields.stream !== true) {
    const { text, count } = await generate(tokens, behaviour, signal)
    await sendWhole(exchange, 'application/json', JSON.stringify(message([{ type: 'text', text }], 'end_turn', count)))
    return
  }
  const event = (type: string, data: object = {}) => `event: ${type}\n${sse({ type, ...data })}`
  await sendTokens(exchange, 'text/event-stream; charset=utf-8', {
    * start () {
      yield event('message_start', { message: message([], null, 1) })
      yield event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } })
      yield event('ping')
    },
    tokens,
    each: text => event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } }),
    * end (_text, count) {
      yield event('content_block_stop', { index: 0 })
      yield event('message_delta', { delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: count } })
      yield event('message_stop')
    }
  })
}

async function countTokens (exchange: Exchange, fields: Fields): Promise<void> {
  await sendWhole(exchange, 'application/json', JSON.stringify({ input_tokens: countWords([fields.system, fields.messages]) }))
}

async function drawImage (exchange: Exchange, fields: Fields): Promise<void> {
  const image = png(128, nameOf(fields)).toString('base64')
  await pause(exchange.behaviour.firstTokenDelay ?? 0, exchange.signal)
  await sendWhole(exchange, 'application/json', JSON.stringify({
    created: created(),
    data: Array.from({ length: Math.min(10, Math.max(1, Number(fields.n ?? 1) || 1)) }, () => ({
      b64_json: image,
      revised_prompt: `You asked the stand-in for model ${nameOf(fields)}. It draws the same gradient for every prompt: ${typeof fields.prompt === 'string' ? fields.prompt : '(none)'}`
    }))
  }))
}

async function speak (exchange: Exchange, fields: Fields): Promise<void> {
  if (typeof fields.model === 'string') exchange.res.setHeader('x-model', encodeURI(fields.model))
  await pause(exchange.behaviour.firstTokenDelay ?? 0, exchange.signal)
  await sendWhole(exchange, 'audio/wav', wav(1))
}

async function hear (exchange: Exchange, fields: Fields): Promise<void> {
  if (!(fields.file instanceof Blob)) throw new BadRequest('there is no file')
  await pause(exchange.behaviour.firstTokenDelay ?? 0, exchange.signal)
  await sendWhole(exchange, 'application/json', JSON.stringify({ text: `You asked the stand-in for model ${nameOf(fields)}. It does not listen: the file has ${fields.file.size} bytes.` }))
}

async function embed (exchange: Exchange, fields: Fields): Promise<void> {
  const inputs = Array.isArray(fields.input) ? fields.input : [fields.input]
  const data = inputs.map((input, index) => {
    const seed = crc32(JSON.stringify(input ?? ''))
    const vector = Float32Array.from({ length: 8 }, (_, i) => ((seed >>> (i * 4)) & 15) / 15)
    const embedding = fields.encoding_format === 'base64' ? Buffer.from(vector.buffer).toString('base64') : [...vector]
    return { object: 'embedding', index, embedding }
  })
  const count = countWords(fields.input)
  await sendWhole(exchange, 'application/json', JSON.stringify({ object: 'list', model: nameOf(fields), data, usage: { prompt_tokens: count, total_tokens: count } }))
}

/** An RGB gradient, tinted by the seed so that two models draw different pictures. */
function png (size: number, seed: string): Buffer {
  const tint = crc32(seed) & 255
  const rows = Buffer.alloc(size * (size * 3 + 1))
  for (let y = 0, at = 0; y < size; y++) {
    rows[at++] = 1 // filter "sub": each pixel as its difference to the one on its left
    for (let x = 0; x < size; x++) {
      rows[at++] = x === 0 ? 0 : 255 / size
      rows[at++] = x === 0 ? y * 255 / size : 0
      rows[at++] = x === 0 ? tint : 0
    }
  }
  const chunk = (type: string, data: Buffer) => {
    const out = Buffer.alloc(data.length + 12)
    out.writeUInt32BE(data.length)
    out.write(type, 4, 'latin1')
    data.copy(out, 8)
    out.writeUInt32BE(crc32(out.subarray(4, -4)), data.length + 8)
    return out
  }
  const header = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0])
  header.writeUInt32BE(size)
  header.writeUInt32BE(size, 4)
  return Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', header), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))])
}

/** A 440 Hz sine, 16-bit mono PCM. */
function wav (seconds: number): Buffer {
  const rate = 24000
  const samples = rate * seconds
  const out = Buffer.alloc(44 + samples * 2)
  out.write('RIFF', 0, 'latin1')
  out.writeUInt32LE(out.length - 8, 4)
  out.write('WAVEfmt ', 8, 'latin1')
  out.writeUInt32LE(16, 16)
  out.writeUInt16LE(1, 20)
  out.writeUInt16LE(1, 22)
  out.writeUInt32LE(rate, 24)
  out.writeUInt32LE(rate * 2, 28)
  out.writeUInt16LE(2, 32)
  out.writeUInt16LE(16, 34)
  out.write('data', 36, 'latin1')
  out.writeUInt32LE(samples * 2, 40)
  for (let i = 0; i < samples; i++) out.writeInt16LE(Math.round(Math.sin(i * 440 * 2 * Math.PI / rate) * 8000), 44 + i * 2)
  return out
}

async function generate (tokens: Iterable<string>, behaviour: StandInBehaviour, signal: AbortSignal): Promise<{ text: string, count: number }> {
  const text = [...tokens]
  const perToken = behaviour.tokensPerSecond ? 1000 / behaviour.tokensPerSecond : 0
  await pause((behaviour.firstTokenDelay ?? 0) + text.length * perToken, signal)
  return { text: text.join(''), count: text.length }
}

interface TokenStream {
  start? (): Iterable<string>
  tokens: Iterable<string>
  each (token: string): string
  end (text: string, count: number): Iterable<string>
}

/** Streams an answer token by token, with the behaviour's speed and ending. */
async function sendTokens (exchange: Exchange, type: string, stream: TokenStream): Promise<void> {
  const { res, behaviour, signal } = exchange
  const { firstTokenDelay = 0, tokensPerSecond, breakAfter, stallAfter } = behaviour
  res.writeHead(200, { 'content-type': type, 'cache-control': 'no-cache', server: 'inference stand-in' })
  res.flushHeaders()
  await pause(firstTokenDelay, signal)
  let count = 0
  let text = ''
  const ended = async () => {
    if (count === breakAfter) {
      await breakOff(exchange)
      return true
    }
    if (count === stallAfter) {
      await gone(signal)
      return true
    }
    return false
  }
  if (await ended()) return
  if (stream.start !== undefined) for (const piece of stream.start()) await write(res, piece, signal)
  for (const token of stream.tokens) {
    if (count > 0 && tokensPerSecond) await pause(1000 / tokensPerSecond, signal)
    await write(res, stream.each(token), signal)
    // An endless answer must not fill the memory.
    if (text.length < 1_000_000) text += token
    count++
    if (await ended()) return
  }
  for (const piece of stream.end(text, count)) await write(res, piece, signal)
  res.end()
}

/** Sends an answer with a length; breaks or stalls after half of it if the behaviour says so. */
async function sendWhole (exchange: Exchange, type: string, content: string | Buffer): Promise<void> {
  const { res, behaviour, signal } = exchange
  const body = Buffer.from(content)
  res.writeHead(200, { 'content-type': type, 'content-length': body.length, server: 'inference stand-in' })
  if (behaviour.breakAfter === undefined && behaviour.stallAfter === undefined) {
    res.end(body)
    return
  }
  const nothing = behaviour.breakAfter === 0 || behaviour.stallAfter === 0
  res.flushHeaders()
  if (!nothing) await write(res, body.subarray(0, body.length / 2), signal)
  if (behaviour.breakAfter !== undefined) await breakOff(exchange)
  else await gone(signal)
}

const broken = new WeakSet<ServerResponse>()

async function breakOff ({ res, behaviour, signal }: Exchange): Promise<void> {
  const socket = res.socket as Socket
  // An RST discards bytes that the other side's kernel has not delivered yet.
  await pause(20, signal)
  broken.add(res)
  if (behaviour.breakWith === 'rst') socket.resetAndDestroy()
  else socket.end()
}

async function write (res: ServerResponse, text: string | Buffer, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw signal.reason
  if (res.write(text)) return
  await new Promise<void>((resolve, reject) => {
    res.once('drain', resolve)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

async function pause (ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await sleep(Math.min(ms, 2 ** 31 - 1), undefined, { signal })
}

function gone (signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function sendJson (res: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}): void {
  const body = JSON.stringify(value)
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), server: 'inference stand-in', ...headers })
  res.end(body)
}

/** Anthropic's error type of each status (docs.anthropic.com, API errors). */
const ANTHROPIC_ERRORS: Record<number, string> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  504: 'timeout_error',
  529: 'overloaded_error'
}

/** An error in the shape of the API that was called. */
function sendError (res: ServerResponse, status: number, message: string, retryAfter?: string): void {
  const headers: Record<string, string> = retryAfter === undefined ? {} : { 'retry-after': retryAfter }
  if (/\/messages(\/|$)/.test(new URL(res.req.url!, 'http://stand-in').pathname)) {
    sendJson(res, status, { type: 'error', error: { type: ANTHROPIC_ERRORS[status] ?? 'api_error', message }, request_id: 'req_stand-in' }, headers)
    return
  }
  const type = status === 429 ? 'rate_limit_error' : status < 500 ? 'invalid_request_error' : 'server_error'
  sendJson(res, status, { error: { message, type, param: null, code: null } }, headers)
}

async function main (): Promise<void> {
  const text = { type: 'string' } as const
  const behaviour: StandInBehaviour = {}
  try {
    const { values } = parseArgs({ options: { port: text, host: text, ...Object.fromEntries(Object.keys(STEERING).map(name => [name, text])) } })
    for (const [name, value] of Object.entries(values)) STEERING[name]?.(behaviour, value as string)
    const host = values.host ?? '127.0.0.1'
    const port = number(values.port ?? '8001')
    const standIn = await startFakeInference({ host, port, ...behaviour })
    console.log(`inference stand-in (no AI) listening on ${standIn.url}`)
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { standIn.close().then(() => process.exit(0)) })
  } catch (error) {
    const { code, port, message } = error as NodeJS.ErrnoException & { port?: number }
    console.error(code === 'EADDRINUSE' ? `inference stand-in: port ${port} is in use` : `inference stand-in: ${message}`)
    process.exitCode = 1
  }
}

if (import.meta.main) await main()
