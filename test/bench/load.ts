// The bench's client: raw sockets, so that it costs little beside the proxy.
// Reports on stdout, a JSON object a line.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { STAMP_AT, STAMP_DIGITS, STAMP_MARK } from './events.ts'

/** Requests one after the other on each connection, for a time. */
export interface RequestLoad { kind: 'requests', port: number, head: string, body: string, connections: number, seconds: number }
/** Event streams, all held open. */
export interface StreamLoad { kind: 'streams', port: number, head: string, body: string, streams: number, warmSeconds: number, seconds: number }
/** Large bodies, one after the other on one connection. */
export interface UploadLoad { kind: 'uploads', port: number, head: string, start: string, end: string, bytes: number, count: number }
export type Load = RequestLoad | StreamLoad | UploadLoad

const report = (message: object) => process.stdout.write(JSON.stringify(message) + '\n')
const percentile = (sorted: Float64Array | number[], share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN

if (import.meta.main) {
  process.stdin.on('end', () => process.exit()).resume()
  const load = JSON.parse(process.argv[2]!) as Load
  if (load.kind === 'requests') await requests(load)
  else if (load.kind === 'streams') await streams(load)
  else await uploads(load)
  process.exit()
}

async function requests ({ port, head, body, connections, seconds }: RequestLoad): Promise<void> {
  const bytes = Buffer.from(head.replace('$LENGTH', String(Buffer.byteLength(body))) + body)
  const times: number[] = []
  let errors = 0
  const began = performance.now()
  const deadline = began + seconds * 1000
  await Promise.all(Array.from({ length: connections }, () => new Promise<void>(resolve => {
    const socket = connect(port, '127.0.0.1')
    let sent = 0
    let received = ''
    const next = () => {
      sent = performance.now()
      if (sent >= deadline) return socket.destroy()
      received = ''
      socket.write(bytes)
    }
    socket.setNoDelay(true)
    socket.on('connect', next)
    socket.on('error', () => errors++)
    socket.on('close', resolve)
    socket.on('data', chunk => {
      received += chunk.toString('latin1')
      const end = received.indexOf('\r\n\r\n')
      if (end === -1) return
      const length = /\r\ncontent-length: *(\d+)/i.exec(received)?.[1]
      const status = received.slice(9, 12)
      const whole = length === undefined ? status === '304' || received.endsWith('0\r\n\r\n') : received.length >= end + 4 + Number(length)
      if (!whole) return
      times.push(performance.now() - sent)
      if (status !== '200' && status !== '304') errors++
      next()
    })
  })))
  const elapsed = (performance.now() - began) / 1000
  times.sort((a, b) => a - b)
  report({ requests: times.length, seconds: elapsed, p50: percentile(times, 0.5), p99: percentile(times, 0.99), errors })
}

async function streams ({ port, head, body, streams, warmSeconds, seconds }: StreamLoad): Promise<void> {
  const bytes = Buffer.from(head.replace('$LENGTH', String(Buffer.byteLength(body))) + body)
  const firstBytes: number[] = []
  let events = 0
  let counting = false
  let broken = 0
  let refused = 0
  let closing = false
  const delays = new Float64Array(2_000_000)
  let measured = 0

  function open (): Socket {
    const socket = connect(port, '127.0.0.1')
    let tail: Buffer | undefined
    let began = performance.now()
    socket.on('connect', () => socket.write(bytes))
    socket.on('error', () => {})
    socket.on('close', () => { if (!closing) broken++ })
    socket.on('data', (chunk: Buffer) => {
      const now = Number(process.hrtime.bigint() % 10n ** BigInt(STAMP_DIGITS))
      if (began !== 0) {
        firstBytes.push(performance.now() - began)
        if (chunk.toString('latin1', 9, 12) !== '200') refused++
        began = 0
      }
      const data = tail === undefined ? chunk : Buffer.concat([tail, chunk])
      tail = undefined
      let at = data.indexOf(STAMP_MARK)
      while (at !== -1) {
        const stamp = at + STAMP_AT
        if (stamp + STAMP_DIGITS > data.length) break
        events++
        if (counting && measured < delays.length) delays[measured++] = (now - Number(data.toString('latin1', stamp, stamp + STAMP_DIGITS))) / 1e6
        at = data.indexOf(STAMP_MARK, stamp)
      }
      if (at !== -1) tail = data.subarray(at)
      else if (data.length < 3 || data[data.length - 1] !== 10) tail = data.subarray(Math.max(0, data.length - STAMP_AT))
    })
    return socket
  }

  const began = performance.now()
  const sockets = Array.from({ length: streams }, open)
  while (firstBytes.length < streams && performance.now() - began < 15_000) await sleep(10)
  await sleep(warmSeconds * 1000)
  report({ phase: 'begin' })
  counting = true
  const countedFrom = events
  const start = performance.now()
  await sleep(seconds * 1000)
  const elapsed = (performance.now() - start) / 1000
  const counted = events - countedFrom
  counting = false
  report({ phase: 'end' })
  // The parent measures while all streams are still open.
  await sleep(200)
  closing = true
  for (const socket of sockets) socket.destroy()
  const sorted = delays.subarray(0, measured).sort()
  firstBytes.sort((a, b) => a - b)
  report({
    events: counted,
    seconds: elapsed,
    served: firstBytes.length - refused - broken,
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    firstByteP50: percentile(firstBytes, 0.5),
    firstByteMax: percentile(firstBytes, 1)
  })
}

async function uploads ({ port, head, start, end, bytes, count }: UploadLoad): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  socket.setNoDelay(true)
  await once(socket, 'connect')
  const piece = Buffer.alloc(65536, 'QUJD')
  const filling = bytes - Buffer.byteLength(start) - Buffer.byteLength(end)
  const opening = Buffer.from(head.replace('$LENGTH', String(bytes)))
  const first: number[] = []
  const total: number[] = []
  let errors = 0
  report({ phase: 'begin' })
  for (let n = 0; n < count; n++) {
    const answered = answerOf(socket)
    socket.write(opening)
    const began = process.hrtime.bigint() % 10n ** BigInt(STAMP_DIGITS)
    const from = performance.now()
    socket.write(start)
    for (let sent = 0; sent < filling; sent += piece.length) {
      const going = socket.write(filling - sent < piece.length ? piece.subarray(0, filling - sent) : piece)
      if (!going) await once(socket, 'drain')
    }
    socket.write(end)
    const { status, body } = await answered
    total.push(performance.now() - from)
    if (status !== 200) {
      errors++
      process.stderr.write(`upload: ${status} ${body.slice(0, 200)}\n`)
      break
    }
    first.push(Number(BigInt(JSON.parse(body).firstByte) - began) / 1e6)
  }
  report({ phase: 'end' })
  first.sort((a, b) => a - b)
  total.sort((a, b) => a - b)
  report({ uploads: total.length, errors, firstByte: percentile(first, 0.5), firstByteMax: percentile(first, 1), milliseconds: percentile(total, 0.5) })
}

function answerOf (socket: Socket): Promise<{ status: number, body: string }> {
  return new Promise((resolve, reject) => {
    let received = ''
    const done = (status: number, body: string) => {
      socket.off('data', onData)
      socket.off('close', onClose)
      resolve({ status, body })
    }
    const onClose = () => reject(new Error('the connection was closed before the answer'))
    const onData = (chunk: Buffer) => {
      received += chunk.toString('latin1')
      const end = received.indexOf('\r\n\r\n')
      if (end === -1) return
      const length = /\r\ncontent-length: *(\d+)/i.exec(received.slice(0, end))?.[1]
      const body = received.slice(end + 4)
      if (length === undefined ? !body.endsWith('0\r\n\r\n') : body.length < Number(length)) return
      done(Number(received.slice(9, 12)), length === undefined ? body.split('\r\n')[1]! : body)
    }
    socket.on('data', onData)
    socket.on('close', onClose)
  })
}
