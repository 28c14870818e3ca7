import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { direct, Unavailable, versionOf, type Candidate, type Context, type Running } from './candidates.ts'
import { freePort } from '../free-port.ts'
import { cpuSeconds, end, runLoad, startScript, untilAnswers, type Report } from './processes.ts'

/** Figures of one candidate in one round. */
export type Sample = Record<string, number>

export interface Row {
  readonly candidate: string
  readonly label: string
  /** Why it did not take part, or did not to the end. */
  note?: string
  /** One for each round: `samples[i]` of all rows belong together. */
  readonly samples: Sample[]
}

export interface Column { readonly key: string, readonly label: string, readonly digits?: number }

export interface Table {
  readonly name: string
  readonly title: string
  readonly about: string
  readonly columns: readonly Column[]
  readonly rows: Row[]
}

/** How long a run measures: a look (2 minutes), a page (15 minutes), or all (45 minutes). */
export type Extent = 'quick' | 'brief' | 'full'

export interface Options {
  readonly extent: Extent
  readonly scratch: string
}

/** One kind of load, measured at every candidate that does it. */
export interface Work {
  readonly name: string
  run (options: Options): Promise<Table[]>
}

const log = (text: string) => { if (process.stderr.isTTY) process.stderr.write(text) }

/** What comes before the rounds that count. */
export interface Starts {
  /** How often all candidates are started afresh, for as many rounds each time: V8 compiles no two processes alike, and two of one program differ by up to a tenth. */
  readonly starts?: number
  /** Rounds after each start that are not counted, in which functions become hot. */
  readonly warmUps?: number
  /** Rounds after each start that count. */
  readonly rounds: number
}

/**
 * Measures the candidates in turn, round after round (A B C A B C …), so that
 * whatever else the machine does falls on all of them.
 */
export async function interleave (candidates: readonly Candidate[], context: Context, measure: Measure, { starts = 1, warmUps = 1, rounds }: Starts): Promise<Row[]> {
  const rows: Row[] = candidates.map(({ name, label }) => ({ candidate: name, label, samples: [] }))
  for (let start = 0; start < starts; start++) {
    const started = await startAll(candidates, context, rows)
    try {
      for (let i = 0; i < warmUps; i++) await measureAll(candidates, started, rows, measure, 'warm-up')
      for (let i = 1; i <= rounds; i++) {
        const samples = await measureAll(candidates, started, rows, measure, `round ${start * rounds + i} of ${starts * rounds}`)
        for (const [row, sample] of samples) row.samples.push(sample)
      }
    } finally {
      log('\r\x1b[K')
      for (const running of started) await running?.stop()
    }
  }
  return rows
}

type Measure = (running: Running, candidate: Candidate) => Promise<Sample>

/** Those that have dropped out, by their row's note, are left out. */
async function startAll (candidates: readonly Candidate[], context: Context, rows: readonly Row[]): Promise<(Running | undefined)[]> {
  const started: (Running | undefined)[] = []
  for (const [i, candidate] of candidates.entries()) {
    if (rows[i]!.note !== undefined) continue
    try {
      started[i] = await candidate.start(context)
    } catch (error) {
      rows[i]!.note = error instanceof Unavailable ? error.message : `did not start: ${(error as Error).message}`
    }
  }
  return started
}

/** One round. */
async function measureAll (candidates: readonly Candidate[], started: readonly (Running | undefined)[], rows: readonly Row[], measure: Measure, title: string): Promise<[Row, Sample][]> {
  const samples: [Row, Sample][] = []
  for (const [i, candidate] of candidates.entries()) {
    const running = started[i]
    const row = rows[i]!
    if (running === undefined || row.note !== undefined) continue
    log(`\r\x1b[K  ${title}: ${candidate.label}`)
    try {
      samples.push([row, await measure(running, candidate)])
    } catch (error) {
      row.note = (error as Error).message
    }
  }
  return samples
}

/** Adds to each sample how much later than `direct` in the same round its percentiles are. */
export function addDelays (rows: readonly Row[], ...keys: string[]): void {
  const base = rows.find(row => row.candidate === direct.name)!
  for (const row of rows) {
    for (const [round, sample] of row.samples.entries()) {
      for (const key of keys) sample[`added_${key}`] = sample[key]! - (base.samples[round]?.[key] ?? NaN)
    }
  }
}

/** Runs with a stand-in inference service of that mode. */
export async function withUpstream<T> (mode: 'json' | 'sse' | 'sink', run: (port: number) => Promise<T>, interval = 20): Promise<T> {
  const port = await freePort()
  const upstream = startScript('upstream.ts', { port, mode, interval })
  try {
    await untilAnswers(port, '/ready')
    return await run(port)
  } finally {
    await end(upstream)
  }
}

/** A request as the load sends it. */
export interface Ask { method: 'GET' | 'POST', path: string, headers?: Record<string, string>, body?: string }

const CLIENT_HEADERS = { 'user-agent': 'bench/1.0', accept: 'application/json', authorization: 'Bearer sk-client-0123456789abcdef' }

/** The bytes of a request's head; `$LENGTH` stands for the body's. */
export function headOf ({ method, path, headers }: Ask, running: Running): string {
  const all = { host: 'bench', ...CLIENT_HEADERS, ...(method === 'POST' && { 'content-type': 'application/json', 'content-length': '$LENGTH' }), ...headers, ...running.headers }
  return `${method} ${path} HTTP/1.1\r\n${Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
}

export const WRK = versionOf('wrk', '-v')

/** Requests one after the other on some connections: with wrk, or a client of ours where that is missing. */
export async function requestLoad (running: Running, ask: Ask, { scratch, connections, seconds }: { scratch: string, connections: number, seconds: number }): Promise<Report> {
  const report = WRK === 'not installed'
    ? await runLoad({ kind: 'requests', port: running.port, head: headOf(ask, running), body: ask.body ?? '', connections, seconds })
    : await wrk(running, ask, scratch, connections, seconds)
  if (report.errors! > 0) throw new Error(`${report.errors} of ${report.requests} requests failed`)
  return report
}

async function wrk (running: Running, { method, path, headers, body }: Ask, scratch: string, connections: number, seconds: number): Promise<Report> {
  const lua = (text: string) => JSON.stringify(text).replace(/\\u/g, '\\\\u')
  const all = { ...CLIENT_HEADERS, ...(method === 'POST' && { 'content-type': 'application/json' }), ...headers, ...running.headers }
  const script = `${scratch}/wrk.lua`
  writeFileSync(script, `wrk.method = "${method}"
${body === undefined ? '' : `wrk.body = ${lua(body)}`}
${Object.entries(all).map(([name, value]) => `wrk.headers["${name}"] = ${lua(value)}`).join('\n')}
function done (summary, latency)
  local e = summary.errors
  io.write(string.format('\\n{"requests":%d,"seconds":%f,"p50":%f,"p99":%f,"errors":%d}', summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, e.connect + e.read + e.write + e.status + e.timeout))
end`)
  const child = spawn('wrk', ['-t1', `-c${connections}`, `-d${Math.ceil(seconds)}s`, '-s', script, `http://127.0.0.1:${running.port}${path}`], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', chunk => { output += chunk })
  await once(child, 'close')
  return JSON.parse(output.slice(output.lastIndexOf('\n{') + 1))
}

/** The CPU seconds that the candidate used while `run` went on. */
export async function cpuDuring<T> (running: Running, run: () => Promise<T>): Promise<[cpu: number, result: T]> {
  const pids = running.pids()
  const before = cpuSeconds(pids)
  const result = await run()
  return [pids.length === 0 ? NaN : cpuSeconds(pids) - before, result]
}

const LOAD_SECONDS: Record<Extent, number> = { quick: 1, brief: 2, full: 3 }

/** Requests at full speed, for the CPU time of one. */
export async function requestFigures (running: Running, ask: Ask, { extent, scratch }: Options): Promise<Sample> {
  const [cpu, full] = await cpuDuring(running, () => requestLoad(running, ask, { scratch, connections: 32, seconds: LOAD_SECONDS[extent] }))
  return { cpu: cpu / full.requests! * 1e6, rate: full.requests! / full.seconds!, perCpuSecond: full.requests! / cpu }
}

/** Requests one at a time, for the delay of one. */
export async function delayFigures (running: Running, ask: Ask, { scratch }: Options): Promise<Sample> {
  await sleep(50)
  const { p50, p99 } = await requestLoad(running, ask, { scratch, connections: 1, seconds: 1 })
  return { p50: p50!, p99: p99! }
}
