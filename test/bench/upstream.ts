// The bench's inference service: bytes prepared beforehand, straight to the
// socket, so that it costs less than any proxy in front of it.
//
//   json   answers every request with one chat completion
//   sse    streams 120-byte events, one every `interval` ms on each stream
//   sink   drops the body and says when its first byte came
import { createServer, type Socket } from 'node:net'
import { EVENT_BYTES, eventTemplate, nanoseconds, STAMP_AT, STAMP_DIGITS } from './events.ts'

const { port, mode, interval } = JSON.parse(process.argv[2]!) as { port: number, mode: 'json' | 'sse' | 'sink', interval: number }
process.stdin.on('end', () => process.exit()).resume()

const COMPLETION = JSON.stringify({
  id: 'chatcmpl-bench',
  object: 'chat.completion',
  created: 1700000000,
  model: 'bench',
  choices: [{ index: 0, message: { role: 'assistant', content: 'x'.repeat(600) }, logprobs: null, finish_reason: 'stop' }],
  usage: { prompt_tokens: 200, completion_tokens: 120, total_tokens: 320 }
})
const answer = (type: string, body: string) => Buffer.from(`HTTP/1.1 200 OK\r\nserver: bench\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
const JSON_ANSWER = answer('application/json', COMPLETION)
const SSE_HEAD = Buffer.from('HTTP/1.1 200 OK\r\nserver: bench\r\ncache-control: no-store\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n')
const CHUNK_HEAD = `${EVENT_BYTES.toString(16)}\r\n`
const CHUNK = Buffer.from(CHUNK_HEAD + eventTemplate() + '\r\n')

// Streams are spread over the interval: events that come in one burst would let
// a proxy take many of them in one turn, which no real service allows.
const SLOTS = Math.max(1, Math.round(interval))
const streams = Array.from({ length: SLOTS }, () => new Set<Socket>())
let slot = 0
let opened = 0

function sendEvent (socket: Socket): void {
  const chunk = Buffer.from(CHUNK)
  chunk.write(nanoseconds(), CHUNK_HEAD.length + STAMP_AT, STAMP_DIGITS, 'latin1')
  socket.write(chunk)
}

if (mode === 'sse') {
  const began = performance.now()
  setInterval(() => {
    // A timer that came late catches up, so that the load is the same for all.
    for (const due = Math.floor(performance.now() - began); slot < due; slot++) {
      for (const socket of streams[slot % SLOTS]!) sendEvent(socket)
    }
  }, 1)
}

createServer(serve).listen({ port, host: '127.0.0.1', backlog: 4096 })

function serve (socket: Socket): void {
  let head: string | undefined
  let pending = ''
  let owed = 0
  let received = 0
  let firstByte = ''
  let tail = ''
  socket.setNoDelay(true)
  socket.on('error', () => {})
  socket.on('data', chunk => {
    if (head === undefined) {
      pending += chunk.toString('latin1')
      const end = pending.indexOf('\r\n\r\n')
      if (end === -1) return
      head = pending.slice(0, end)
      const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
      owed = length !== undefined ? Number(length) : /\r\ntransfer-encoding:/i.test(head) ? Infinity : 0
      received = pending.length - end - 4
      if (received > 0) firstByte = nanoseconds()
      tail = pending.slice(-5)
      pending = ''
    } else {
      if (received === 0) firstByte = nanoseconds()
      received += chunk.length
      if (owed === Infinity) tail = (tail + chunk.toString('latin1', Math.max(0, chunk.length - 5))).slice(-5)
    }
    if (owed === Infinity ? tail !== '0\r\n\r\n' : received < owed) return
    respond(socket, head)
    head = undefined
  })

  function respond (socket: Socket, head: string): void {
    if (mode === 'json' || head.startsWith('GET /ready')) socket.write(JSON_ANSWER)
    else if (mode === 'sink') socket.write(answer('application/json', JSON.stringify({ firstByte, received })))
    else {
      const place = streams[opened++ % SLOTS]!
      place.add(socket)
      socket.once('close', () => place.delete(socket))
      socket.write(SSE_HEAD)
      sendEvent(socket)
    }
  }
}
