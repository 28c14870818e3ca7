import { readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import type { Test as TapTest } from 'tap'
import { atRest, eventually, post, rawClient, startGateway, startRawUpstream, type RawClient, type RawUpstream, type TestGateway } from '../helper.ts'

export { atRest, eventually, post, rawClient, startGateway, startRawUpstream }
export type { RawClient, RawUpstream, TestGateway }

/** What the helpers need of a tap test. */
export type Test = TapTest

/** A gateway in front of an upstream of bytes, and what the process held open before the first request. */
export interface Rig {
  readonly upstream: RawUpstream & { readonly hits: () => number }
  readonly gateway: TestGateway
  readonly descriptors: number
}

/** Starts a {@link Rig}; both ends with the test. */
export async function startRig (t: Test, onRequest: (socket: Socket, hit: number) => void, settings: Record<string, string> = {}): Promise<Rig> {
  const upstream = await startRawUpstream(t, onRequest)
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: upstream.url, ...settings })
  return { upstream, gateway, descriptors: descriptors() }
}

/** A {@link Rig} for a table of cases, each with an upstream of its own making. */
export interface TableRig extends Rig {
  /** How the upstream answers from now on; counts its hits anew. */
  behave (onRequest: (socket: Socket) => void): void
  /** Hits since the last {@link behave}. */
  hits (): number
}

/** Starts a {@link TableRig}: a gateway for each case would take most of the time. */
export async function startTableRig (t: Test, settings: Record<string, string> = {}): Promise<TableRig> {
  let current: (socket: Socket) => void = () => {}
  let hits = 0
  const rig = await startRig(t, socket => {
    hits++
    current(socket)
  }, settings)
  return {
    ...rig,
    behave: onRequest => {
      current = onRequest
      hits = 0
    },
    hits: () => hits
  }
}

/** Descriptors that this process holds open. */
export function descriptors (): number {
  return readdirSync('/proc/self/fd').length
}

/**
 * Fails unless, within two seconds, nothing is under way, no slot is held and no
 * descriptor is open but those of idle upstream connections (one at either end,
 * and both ends are in this process).
 */
export async function backAtRest ({ gateway, descriptors: before }: Pick<Rig, 'gateway' | 'descriptors'>): Promise<void> {
  await atRest(gateway)
  const allowed = () => before + 2 * gateway.app.forwarder.connections.open
  await eventually(() => descriptors() <= allowed(), 2000, () => `${descriptors()} descriptors, at most ${allowed()} expected`)
}

/** An answer as it was on the wire. */
export interface Answer {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: string
  /** The body ended where its framing says. */
  readonly complete: boolean
  /** What came after it. */
  readonly rest: string
}

/** Reads the first answer from bytes (latin1). */
export function parseAnswer (text: string): Answer {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return { status: 0, headers: {}, body: '', complete: false, rest: text }
  const [statusLine, ...lines] = text.slice(0, end).split('\r\n')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  const status = Number(statusLine!.split(' ')[1])
  const rest = text.slice(end + 4)
  if (status < 200 || status === 204 || status === 304) return { status, headers, body: '', complete: true, rest }
  if (headers['transfer-encoding'] === 'chunked') return { status, headers, ...dechunk(rest) }
  if (headers['content-length'] === undefined) return { status, headers, body: rest, complete: false, rest: '' }
  const length = Number(headers['content-length'])
  return { status, headers, body: rest.slice(0, length), complete: rest.length >= length, rest: rest.slice(length) }
}

function dechunk (text: string): { body: string, complete: boolean, rest: string } {
  let body = ''
  for (let at = 0; ;) {
    const line = text.indexOf('\r\n', at)
    if (line === -1) return { body, complete: false, rest: '' }
    const size = parseInt(text.slice(at, line), 16)
    if (size === 0) {
      const end = text.indexOf('\r\n\r\n', line)
      return end === -1 ? { body, complete: false, rest: '' } : { body, complete: true, rest: text.slice(end + 4) }
    }
    body += text.slice(line + 2, line + 2 + size)
    if (text.length < line + 4 + size) return { body, complete: false, rest: '' }
    at = line + 4 + size
  }
}

/** Sends bytes and reads until the gateway closes; fails where it does not within `timeout`. */
export async function send (port: number, bytes: string | Buffer, timeout = 5000): Promise<Answer & { readonly failed: boolean, readonly text: string }> {
  const client = await rawClient(port, bytes)
  const timer = setTimeout(() => client.socket.destroy(new Error('the gateway did not close in time')), timeout)
  const failed = await client.closed
  clearTimeout(timer)
  return { ...parseAnswer(client.text()), failed, text: client.text() }
}

/** A POST whose answer closes its connection. */
export function lastPost (path: string, body: string | Buffer = '{"model":"m"}', headers: Record<string, string> = {}): Buffer {
  return post(path, body, { connection: 'close', ...headers })
}

/** What must show in no error: where the upstream is, what it said, how the gateway is made. */
const LEAKS = /127\.0\.0\.1|localhost|ECONN|EPIPE|UND_ERR|HPE_|node_modules|undici|\.ts\b|upstream-secret|sk-secret/

/** Fails unless the answer is an error of that status in the one shape, whole, telling nothing of what is behind it. */
export function isError (t: Test, answer: Answer, status: number, code?: string): void {
  t.equal(answer.status, status, `status ${status}`)
  t.ok(answer.complete, 'the answer is whole')
  t.match(answer.headers['content-type'], /^application\/json/)
  const { error, ...others } = JSON.parse(answer.body === '' ? '{}' : answer.body)
  t.same(others, {}, 'no field but error')
  t.same(Object.keys(error ?? {}), ['message', 'type', 'param', 'code'], 'the one error shape')
  if (code !== undefined) t.equal(error?.code, code)
  t.notMatch(JSON.stringify([answer.headers, answer.body]), LEAKS, 'nothing leaked')
}

const cpuTime = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000 }
let starved = 0
let tickAt = performance.now()
let tickCpu = cpuTime()
function tick (): void {
  const now = performance.now()
  const cpu = cpuTime()
  // A tick comes every 5 ms; one that is late though this process did not compute was kept from running.
  starved += Math.max(0, now - tickAt - 10 - (cpu - tickCpu))
  tickAt = now
  tickCpu = cpu
}
setInterval(tick, 5).unref()

/**
 * Milliseconds, without those in which a busy machine let other processes run:
 * for upper bounds that the contract states. Lower bounds take the wall clock.
 */
export function clock (): number {
  tick()
  return tickAt - starved
}

/** Fails unless the condition holds within the 250 ms in which the gateway promises to cut. */
export async function promptly (condition: () => boolean): Promise<void> {
  const start = clock()
  await eventually(() => condition() || clock() - start > 250, 10_000)
  if (!condition()) throw new Error(`not within 250 ms: ${condition.toString()}`)
}

/** Milliseconds that a promise takes, by {@link clock}. */
export async function timed (promise: Promise<unknown>): Promise<number> {
  const start = clock()
  await promise
  return clock() - start
}

/** Opens connections that send nothing. */
export async function openIdle (port: number, count: number): Promise<Socket[]> {
  return await Promise.all(Array.from({ length: count }, () => new Promise<Socket>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket))
    socket.once('error', reject)
  })))
}
