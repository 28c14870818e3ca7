/**
 * `npm run scale`: several gateways behind HAProxy, on one PostgreSQL and one
 * Redis, while one of them is killed every few seconds. Clients read streams and
 * lists, edit the catalog, and one exceeds its rate limit.
 *
 *   npm run scale -- --gateways 4 --seconds 60
 *
 * Ends with exit code 1 where a list was wrong, an edit was seen late, a request
 * was lost that no killed gateway had, or the limit was not exact.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { freePort } from '../test/free-port.ts'
import { onServer } from '../test/store/engines.ts'

const { values } = parseArgs({
  options: {
    gateways: { type: 'string', default: '4' },
    seconds: { type: 'string', default: '60' },
    streams: { type: 'string', default: '40' },
    readers: { type: 'string', default: '8' },
    'kill-every': { type: 'string', default: '5' }
  }
})
const [gatewayCount, seconds, streamCount, readerCount, killEvery] = [values.gateways, values.seconds, values.streams, values.readers, values['kill-every']].map(Number) as [number, number, number, number, number]

/** Time within which an edit must show on every replica, milliseconds. */
const EDIT_LIMIT = 1000
/** RATE_LIMIT: enough for each client of the load, which has a key of its own. */
const RATE_LIMIT = 600
const ADMIN_KEY = randomUUID()
/** The client that exceeds its limit, the one that does so while gateways are killed, and those of the load. */
const LIMITED = ['calm', 'killed'] as const
const keyOf = (name: string) => `${name}-${ADMIN_KEY}`
const loadKeys = Array.from({ length: streamCount + readerCount }, (_, place) => `load${place}`)

const work = mkdtempSync(join(tmpdir(), 'gateway-scale-'))
const database = `gateway_scale_${randomUUID().replaceAll('-', '')}`
const databaseUrl = `postgres://postgres@127.0.0.1:5432/${database}`
const redisUrl = process.env['TEST_REDIS_URL'] ?? 'redis://127.0.0.1:6379'
const children = new Set<ChildProcess>()

function start (program: string, args: string[], environment: Record<string, string> = {}): ChildProcess {
  const child = spawn(program, args, { env: { PATH: process.env['PATH'], ...environment }, stdio: ['ignore', 'pipe', 'inherit'] })
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

const node = (args: string[], environment?: Record<string, string>) => start(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], environment)

async function outputMatching (child: ChildProcess, pattern: RegExp): Promise<string> {
  let output = ''
  return await new Promise((resolve, reject) => {
    child.stdout!.on('data', chunk => {
      output = (output + chunk).slice(-10_000)
      const found = pattern.exec(output)
      if (found !== null) resolve(found[1]!)
    })
    child.once('exit', code => reject(new Error(`ended with exit code ${code}: ${output}`)))
  })
}

// ---- the gateways

/** A signal to a gateway. `endedAt`: its process is gone. Until then the kernel takes requests that nobody will read. */
interface Stop { readonly signal: NodeJS.Signals, readonly sentAt: number, endedAt: number }
interface Gateway { readonly name: string, readonly port: number, child: ChildProcess, up: boolean, readonly stops: Stop[] }

async function startGateway (gateway: { name: string, port: number }, service: string): Promise<ChildProcess> {
  const child = node(['src/server.ts'], {
    PORT: String(gateway.port),
    INFERENCE_SERVICE_URL: service,
    CATALOG_SOURCE: 'database',
    DATABASE_URL: databaseUrl,
    CATALOG_SNAPSHOT_FILE: join(work, `${gateway.name}.json`),
    REDIS_URL: redisUrl,
    RATE_LIMIT: String(RATE_LIMIT),
    ADMIN_API_KEY: ADMIN_KEY,
    API_KEYS: [...LIMITED, ...loadKeys].map(name => `${name}:${keyOf(name)}`).join(','),
    SHUTDOWN_GRACE: '10'
  })
  await outputMatching(child, /listening at (http:\S+?)"/)
  return child
}

/** HAProxy as docs/deployment.md configures it, for these gateways, without TLS, and saying which of them answered. */
async function startBalancer (gateways: Gateway[]): Promise<string> {
  const port = await freePort()
  const docs = readFileSync(new URL('../docs/deployment.md', import.meta.url), 'utf8')
  const servers = gateways.map(({ name, port }) => `    server ${name} 127.0.0.1:${port}`).join('\n')
  const configuration = /^```haproxy\n([^]*?)^```$/m.exec(docs)![1]!
    .replace(/bind .*/, `bind 127.0.0.1:${port}\n    http-after-response set-header x-served-by "%s"`)
    .replace(/(\n {4}server .*)+/, `\n${servers}`)
  const file = join(work, 'haproxy.cfg')
  writeFileSync(file, configuration)
  start(['/usr/sbin/haproxy', '/usr/bin/haproxy'].find(path => existsSync(path)) ?? 'haproxy', ['-db', '-q', '-f', file])
  return `http://127.0.0.1:${port}`
}

// ---- the clients

const agent = new Agent({ keepAlive: true })

interface Answer { readonly status: number, readonly text: string, readonly servedBy: string, readonly retry: boolean, readonly whole: boolean, readonly counted: boolean }

async function ask (url: string, path: string, key: string, method = 'GET', body?: string): Promise<Answer> {
  const sent = request(url + path, { agent, method, headers: { authorization: `Bearer ${key}`, ...(body !== undefined && { 'content-type': 'application/json' }) } })
  sent.end(body)
  const [answer] = await once(sent, 'response') as [IncomingMessage]
  let text = ''
  try {
    for await (const chunk of answer) text += chunk
  } catch { /* cut short: told by `complete` */ }
  return { status: answer.statusCode!, text, servedBy: String(answer.headers['x-served-by']), retry: answer.headers['x-should-retry'] === 'true', whole: answer.complete, counted: 'ratelimit' in answer.headers }
}

const tally = { streams: 0, lists: 0, edits: 0, lost: 0, retried: 0, kills: 0, drains: 0, seen: [] as number[] }
const problems: string[] = []

/** A request that failed: lost with the gateway that was killed under it, or a fault. */
function judgeFailure (what: string, began: number, gateways: Gateway[], answer: Answer | Error): void {
  const now = performance.now()
  const served = answer instanceof Error ? gateways : gateways.filter(({ name }) => name === answer.servedBy)
  const during = served.flatMap(({ name, stops }) => stops.filter(({ sentAt, endedAt }) => sentAt <= now && endedAt >= began).map(stop => ({ ...stop, name })))
  if (during.some(({ signal }) => signal === 'SIGKILL')) tally.lost++
  else {
    const text = answer instanceof Error ? answer.message : `${answer.status} from ${answer.servedBy}, ${answer.text.slice(-100)}`
    problems.push(`${what}: ${text}; begun ${Math.round(now - began)} ms before${during.map(({ signal, name, sentAt }) => `, ${signal} to ${name} ${Math.round(now - sentAt)} ms before`).join('')}`)
  }
}

/** Retries requests that a draining gateway has refused, as the OpenAI SDKs do. */
async function persistently (url: string, path: string, key: string, method?: string, body?: string): Promise<Answer> {
  for (;;) {
    const answer = await ask(url, path, key, method, body)
    if (answer.status !== 503 || !answer.retry) return answer
    tally.retried++
    await sleep(100)
  }
}

async function repeatUntil (end: number, pause: number, action: () => Promise<void>): Promise<void> {
  while (performance.now() < end) {
    await action()
    await sleep(pause)
  }
}

/** How far the edits are: `added` were asked for, and all up to `settled` were acknowledged more than EDIT_LIMIT ago. */
const edits = { added: 0, acknowledged: [] as number[] }
const settled = (at: number) => edits.acknowledged.filter(time => time < at - EDIT_LIMIT).length
const BUILT_IN = 7
const idOf = (number: number) => `scale-${number}`

function listProblem (answer: Answer, began: number): string | undefined {
  const ids: string[] = JSON.parse(answer.text).map(({ id }: { id: string }) => id)
  const added = ids.filter(id => id.startsWith('scale-'))
  const [least, most] = [settled(began), edits.added]
  if (ids.length - added.length !== BUILT_IN) return `a list of ${ids.length} models without the ones that were always there`
  if (added.some((id, place) => id !== idOf(place + 1))) return `edits are missing or out of order: ${added.join(' ')}`
  if (added.length < least || added.length > most) return `${added.length} edits shown, ${least} to ${most} expected`
}

async function readLists (url: string, key: string, gateways: Gateway[], end: number): Promise<void> {
  await repeatUntil(end, 150, async () => {
    const began = performance.now()
    const answer = await persistently(url, '/v1/models', key).catch((error: Error) => error)
    if (answer instanceof Error || answer.status !== 200 || !answer.whole) return judgeFailure('list', began, gateways, answer)
    const problem = listProblem(answer, began)
    if (problem !== undefined) problems.push(`${answer.servedBy}: ${problem}`)
    tally.lists++
  })
}

async function readStreams (url: string, key: string, gateways: Gateway[], end: number): Promise<void> {
  await repeatUntil(end, 0, async () => {
    const began = performance.now()
    const answer = await persistently(url, '/v1/chat/completions', key, 'POST', '{"stream":true,"messages":[]}').catch((error: Error) => error)
    if (answer instanceof Error || answer.status !== 200 || !answer.whole || !answer.text.endsWith('data: [DONE]\n\n')) return judgeFailure('stream', began, gateways, answer)
    tally.streams++
  })
}

/** Adds a model, and polls each replica until it shows. */
async function edit (url: string, gateways: Gateway[]): Promise<void> {
  const number = ++edits.added
  const id = idOf(number)
  const body = JSON.stringify({ id, name: id, type: 'chat', contextLength: 1024 })
  for (;;) {
    const answer = await persistently(url, '/admin/models', ADMIN_KEY, 'POST', body).catch((error: Error) => error)
    // 409: the model was created before the gateway was killed.
    if (!(answer instanceof Error) && (answer.status === 201 || answer.status === 409)) break
    await sleep(100)
  }
  const made = performance.now()
  edits.acknowledged.push(made)
  await Promise.all(gateways.filter(({ up }) => up).map(async gateway => {
    while (gateway.up) {
      const shown = await ask(`http://127.0.0.1:${gateway.port}`, `/v1/models/${id}`, keyOf(loadKeys[number % loadKeys.length]!)).catch(() => undefined)
      if (shown?.status === 200) {
        const after = performance.now() - made
        tally.seen.push(after)
        if (after > EDIT_LIMIT) problems.push(`${gateway.name} showed an edit after ${Math.round(after)} ms`)
        return
      }
      await sleep(10)
    }
  }))
  tally.edits++
}

/** Kills one gateway and stops the next one in turn; each is restarted. */
async function disturb (gateways: Gateway[], service: string, end: number): Promise<void> {
  for (let turn = 0; performance.now() < end - 4000; turn++) {
    const gateway = gateways[turn % gateways.length]!
    const signal = turn % 2 === 0 ? 'SIGKILL' : 'SIGTERM'
    const ended = once(gateway.child, 'exit')
    gateway.up = false
    const stop: Stop = { signal, sentAt: performance.now(), endedAt: Infinity }
    gateway.stops.push(stop)
    tally[signal === 'SIGKILL' ? 'kills' : 'drains']++
    gateway.child.kill(signal)
    await ended
    stop.endedAt = performance.now()
    gateway.child = await startGateway(gateway, service)
    gateway.up = true
    await sleep(killEvery * 1000)
  }
}

/** `uncounted`: of those allowed, the ones that Redis did not count in time, which say nothing of the limit. */
interface LimitTrial { allowed: number, uncounted: number, lost: number, took: number }

/** Sends more requests than the limit through the balancer. Returns how many passed, and how many got no answer. */
async function exceedLimit (url: string, name: string): Promise<LimitTrial> {
  const counts = { allowed: 0, uncounted: 0, lost: 0, took: 0 }
  const began = performance.now()
  let left = RATE_LIMIT + 200
  await Promise.all(Array.from({ length: 10 }, async () => {
    while (left-- > 0) {
      const answer = await ask(url, '/v1/models', keyOf(name)).catch(() => undefined)
      if (answer === undefined || answer.status >= 500) counts.lost++
      else if (answer.status === 200) {
        counts.allowed++
        if (!answer.counted) counts.uncounted++
      }
    }
  }))
  counts.took = performance.now() - began
  judgeLimit(name, counts)
  return counts
}

/** The limit is one for all gateways, to within a request; what was lost may have been counted. */
function judgeLimit (name: string, { allowed, uncounted, lost, took }: LimitTrial): void {
  if (took > 60_000) problems.push(`limit, ${name}: the trial took longer than the minute that it measures`)
  else if (allowed > RATE_LIMIT + 1 || allowed + lost < RATE_LIMIT - 1) {
    const cause = uncounted === 0 ? '' : ` (${uncounted} passed uncounted: Redis did not answer within the 40 ms that a request waits for it; a busy machine?)`
    problems.push(`limit, ${name}: ${allowed} requests were allowed and ${lost} lost, the limit is ${RATE_LIMIT}${cause}`)
  }
}

async function main (): Promise<number> {
  await onServer(`create database ${database}`)
  const service = await outputMatching(node(['test/fake-inference.ts', '--port', '0', '--tokens', '40', '--tokens-per-second', '20']), /listening on (http:\S+)/)
  const gateways: Gateway[] = []
  for (let number = 1; number <= gatewayCount; number++) {
    const place = { name: `gateway${number}`, port: await freePort() }
    gateways.push({ ...place, child: await startGateway(place, service), up: true, stops: [] })
  }
  const url = await startBalancer(gateways)
  for (let tries = 0; tries < 50 && (await ask(url, '/readyz', '').catch(() => undefined))?.status !== 200; tries++) await sleep(200)

  const calm = await exceedLimit(url, 'calm')

  console.log(`${gatewayCount} gateways, ${streamCount} streams at a time, ${readerCount} readers of lists, for ${seconds} s; every ${killEvery} s one is killed or asked to end`)
  const end = performance.now() + seconds * 1000
  const load = [
    ...loadKeys.map((name, place) => (place < streamCount ? readStreams : readLists)(url, keyOf(name), gateways, end)),
    repeatUntil(end, 500, async () => await edit(url, gateways)),
    disturb(gateways, service, end)
  ]
  const killed = await exceedLimit(url, 'killed')
  await Promise.all(load)

  const { rows: [{ count }] } = await onServer('select count(*) from pg_stat_activity where datname = $1', [database])
  const seen = tally.seen.sort((a, b) => a - b)
  console.log(`kills: ${tally.kills}, graceful ends: ${tally.drains}`)
  console.log(`streams whole: ${tally.streams}; lists right: ${tally.lists}; lost with a killed gateway: ${tally.lost}; sent again because a gateway was ending: ${tally.retried}`)
  console.log(`edits: ${tally.edits}; shown on a replica after ${Math.round(seen[seen.length >> 1]!)} ms (median), ${Math.round(seen.at(-1)!)} ms (longest)`)
  console.log(`limit of ${RATE_LIMIT}: ${calm.allowed} allowed, ${calm.uncounted} of them uncounted; beside kills ${killed.allowed} allowed, ${killed.uncounted} of them uncounted, ${killed.lost} lost`)
  console.log(`connections to PostgreSQL at the end: ${count}`)
  console.log(`faults: ${problems.length}${problems.slice(0, 20).map(line => `\n  ${line}`).join('')}`)
  return problems.length === 0 ? 0 : 1
}

async function cleanUp (): Promise<void> {
  agent.destroy()
  const ended = [...children].map(async child => await once(child, 'exit'))
  for (const child of children) child.kill('SIGKILL')
  await Promise.all(ended)
  await onServer(`drop database if exists ${database} with (force)`)
  rmSync(work, { recursive: true, force: true })
}

let code = 1
try {
  code = await main()
} finally {
  await cleanUp()
}
process.exit(code)
