/**
 * Mixed traffic through a gateway of its own process, with clients that leave and
 * an upstream that fails at random, for a given time:
 *
 *   npm run soak -- --seconds 600 --seed 42
 *
 * The same seed makes the same requests in the same order. It prints counts, and
 * exits with 1 if a request ran upstream without a client, an answer was wrong, or
 * descriptors were left open.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { seededRandom } from '../test/random.ts'
import { START } from '../test/start-command.ts'

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '600' }, seed: { type: 'string', default: String(Date.now() % 1_000_000) } } })
const seconds = Number(values.seconds)
const seed = Number(values.seed)
if (!(seconds > 0) || !Number.isInteger(seed)) {
  console.error('usage: npm run soak -- [--seconds N] [--seed N]')
  process.exit(64)
}

const CLIENTS = 24
/** Most requests in all. */
const MAX_REQUESTS = 500_000
/** How long an upstream request may outlive its client, milliseconds. The promise is 250; the rest is for a busy machine. */
const GRACE = 2000
/** Seconds before a silent upstream is given up. */
const FIRST_BYTE = 1

const random = seededRandom(seed)
const below = (limit: number) => Math.floor(random() * limit)
const pick = <T>(items: readonly T[]): T => items[below(items.length)]!

// ---- the upstream

const SSE = { 'content-type': 'text/event-stream' }
const EVENT = 'data: {"choices":[{"delta":{"content":"word "}}]}\n\n'

/** Behaviours of the upstream, each with its correct outcomes. */
const BEHAVIOURS: Record<string, { act (request: IncomingMessage, response: ServerResponse): void, right: readonly Outcome[] }> = {
  whole: { act: (_request, response) => { response.end('{"whole":true}') }, right: ['200'] },
  stream: { act: (_request, response) => stream(response, 20, () => { response.end('data: [DONE]\n\n') }), right: ['200'] },
  'large answer': { act: (_request, response) => { response.end(Buffer.alloc(1_000_000, 'x')) }, right: ['200'] },
  busy: { act: (_request, response) => { response.writeHead(429, { 'retry-after': '1' }).end('{}') }, right: ['429'] },
  silent: { act: () => {}, right: ['504'] },
  'reset before an answer': { act: request => { request.socket.resetAndDestroy() }, right: ['502'] },
  'end before an answer': { act: request => { request.socket.end() }, right: ['502'] },
  'no HTTP': { act: request => { request.socket.end('nonsense\r\n\r\n') }, right: ['502'] },
  'reset in mid-stream': { act: (request, response) => stream(response, 5, () => { request.socket.resetAndDestroy() }), right: ['cut short', '502'] },
  'end in mid-stream': { act: (request, response) => stream(response, 5, () => { request.socket.end() }), right: ['cut short', '502'] }
}

function stream (response: ServerResponse, events: number, end: () => void): void {
  response.writeHead(200, SSE)
  let left = events
  const timer = setInterval(() => {
    if (left-- > 0) response.write(EVENT)
    else {
      clearInterval(timer)
      end()
    }
  }, 5)
  response.once('close', () => clearInterval(timer))
}

/** Upstream requests under way, by their client's number. */
const running = new Map<number, ServerResponse>()
let upstreamRequests = 0
const upstream = createServer((request, response) => {
  const number = Number(request.headers['x-soak-number'])
  upstreamRequests++
  running.set(number, response)
  response.once('close', () => { running.delete(number) })
  request.on('error', () => {}).resume()
  const act = () => BEHAVIOURS[String(request.headers['x-soak-behaviour'])]!.act(request, response)
  // A refusal or a break may come before the upload has ended.
  if (number % 5 === 0) act()
  else request.once('end', act)
})
upstream.on('clientError', (_error, socket) => socket.destroy())

// ---- the clients

type Outcome = '200' | '429' | '502' | '504' | 'aborted' | 'cut short' | `other: ${string}`

const MULTIPART = 'multipart/form-data; boundary=soak'
const BODIES = [
  { path: '/v1/chat/completions', type: 'application/json', body: '{"stream":true,"messages":[]}' },
  { path: '/openai/v1/chat/completions', type: 'application/json', body: `{"messages":[{"role":"user","content":"${'x'.repeat(300_000)}"}]}` },
  { path: '/v1/embeddings', type: 'application/json', body: `{"model":"m","input":"${'x'.repeat(10_000)}"}` },
  { path: '/v1/images/edits', type: MULTIPART, body: `--soak\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n${'x'.repeat(200_000)}\r\n--soak--\r\n` }
]

interface Plan { behaviour: string, bytes: Buffer, leaveAfter: number | undefined, leave: (socket: Socket) => void, stallFor: number }

function plan (number: number): Plan {
  const behaviour = pick(Object.keys(BEHAVIOURS))
  const { path, type, body } = pick(BODIES)
  const head = `POST ${path} HTTP/1.1\r\nhost: soak\r\nconnection: close\r\ncontent-type: ${type}\r\nx-soak-number: ${number}\r\nx-soak-behaviour: ${behaviour}\r\ncontent-length: ${body.length}\r\n\r\n`
  return {
    behaviour,
    bytes: Buffer.from(head + body),
    leaveAfter: random() < 0.3 ? below(150) : undefined,
    leave: pick([socket => socket.end(), socket => socket.destroy(), socket => socket.resetAndDestroy()] as const),
    stallFor: random() < 0.1 ? below(500) : 0
  }
}

async function request (port: number, { bytes, leaveAfter, leave, stallFor }: Plan): Promise<Outcome> {
  const socket = connect(port, '127.0.0.1')
  let head = ''
  let tail = ''
  let length = 0
  let left = false
  socket.on('error', () => {})
  socket.on('data', chunk => {
    if (head.length < 4096) head += chunk.toString('latin1', 0, 4096)
    tail = (tail + chunk.toString('latin1')).slice(-5)
    length += chunk.length
  })
  socket.once('connect', () => { socket.write(bytes) })
  if (stallFor > 0) {
    socket.pause()
    setTimeout(() => socket.resume(), stallFor)
  }
  await new Promise<void>(resolve => {
    socket.once('close', () => resolve())
    if (leaveAfter === undefined) return
    setTimeout(() => {
      if (socket.closed) return
      left = true
      leave(socket)
      setTimeout(() => {
        socket.destroy()
        // If the system refuses to reset a socket, Node emits no `close`.
        resolve()
      }, 50)
    }, leaveAfter)
  })
  if (left) return 'aborted'
  const headLength = head.indexOf('\r\n\r\n') + 4
  const status = /^HTTP\/1\.1 (\d+)/.exec(head)?.[1]
  if (status === undefined || headLength < 4) return 'other: no answer'
  const declared = /^content-length: (\d+)/im.exec(head.slice(0, headLength))?.[1]
  const complete = declared === undefined ? tail === '0\r\n\r\n' : length === headLength + Number(declared)
  if (!complete) return status === '200' ? 'cut short' : `other: ${status}, cut short`
  return status === '200' || status === '429' || status === '502' || status === '504' ? status : `other: ${status}`
}

// ---- the gateway

async function startGateway (serviceUrl: string): Promise<{ child: ChildProcess, port: number }> {
  const child = spawn(process.execPath, START, {
    env: { PATH: process.env.PATH ?? '', PORT: '0', LOG_LEVEL: 'info', INFERENCE_SERVICE_URL: serviceUrl, UPSTREAM_FIRST_BYTE_TIMEOUT: String(FIRST_BYTE), MAX_CONCURRENT_REQUESTS: '16' },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  // The output is read, because a full pipe would stall the gateway's log.
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout!.on('data', chunk => {
      const found = /listening at http:\/\/[^:]+:(\d+)/.exec(String(chunk))?.[1]
      if (found !== undefined) resolve(Number(found))
    })
    child.once('exit', code => reject(new Error(`the gateway ended with exit code ${code}`)))
  })
  return { child, port }
}

const measure = ({ pid }: ChildProcess) => ({
  descriptors: readdirSync(`/proc/${pid}/fd`).length,
  residentMB: Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024)
})

async function main (): Promise<number> {
  console.log(`soak: ${seconds} s, seed ${seed}`)
  upstream.keepAliveTimeout = 0
  upstream.listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  const { child, port } = await startGateway(`http://127.0.0.1:${(upstream.address() as AddressInfo).port}`)
  const before = measure(child)
  const outcomes: Record<string, number> = {}
  const wrong: string[] = []
  let ownerless = 0
  let sent = 0
  const end = performance.now() + seconds * 1000

  async function client (): Promise<void> {
    while (performance.now() < end && sent < MAX_REQUESTS) {
      const number = sent++
      const planned = plan(number)
      const outcome = await request(port, planned)
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
      if (outcome !== 'aborted' && !BEHAVIOURS[planned.behaviour]!.right.includes(outcome)) wrong.push(`${number} (${planned.behaviour}): ${outcome}`)
      setTimeout(() => {
        const response = running.get(number)
        if (response === undefined) return
        ownerless++
        response.destroy()
      }, GRACE)
    }
  }
  const progress = setInterval(() => console.log(`${sent} sent, ${running.size} under way upstream, ${JSON.stringify(measure(child))}`), 30_000)
  await Promise.all(Array.from({ length: CLIENTS }, client))
  clearInterval(progress)
  await sleep(GRACE + 500)
  const after = measure(child)

  const aborted = outcomes.aborted ?? 0
  const answered = (outcomes['200'] ?? 0) + (outcomes['429'] ?? 0)
  console.log(`sent ${sent}, answered ${answered}, aborted ${aborted}, failed ${sent - answered - aborted}`)
  for (const [outcome, count] of Object.entries(outcomes).sort()) console.log(`  ${outcome}: ${count}`)
  console.log(`upstream requests: ${upstreamRequests}, without an owner: ${ownerless}`)
  console.log(`answers that were not right: ${wrong.length}${wrong.slice(0, 10).map(line => `\n  ${line}`).join('')}`)
  console.log(`descriptors: ${before.descriptors} at the start, ${after.descriptors} at the end`)
  console.log(`resident memory: ${before.residentMB} MB at the start, ${after.residentMB} MB at the end`)
  child.kill('SIGTERM')
  const [code] = await once(child, 'exit')
  upstream.closeAllConnections()
  upstream.close()
  console.log(`the gateway's exit code: ${code}`)
  return ownerless === 0 && wrong.length === 0 && after.descriptors <= before.descriptors && code === 0 ? 0 : 1
}

process.exit(await main())
