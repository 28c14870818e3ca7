import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { adminTable } from './admin.ts'
import { bare, direct, gateway, haproxy, keyedGateway, nginx, portkey, startGateway, stock, switchedGateway, type Candidate, type Running } from './candidates.ts'
import { addDelays, cpuDuring, delayFigures, headOf, interleave, requestFigures, withUpstream, type Ask, type Column, type Extent, type Options, type Row, type Sample, type Starts, type Table, type Work } from './measure.ts'
import { freePort } from '../free-port.ts'
import { cpuSeconds, end, peakKilobytes, residentKilobytes, resetPeak, runLoad, startScript, untilAnswers } from './processes.ts'
import { profileTable } from './profile.ts'
import { benchScanners } from './scanners.ts'

const CHAT = '/v1/chat/completions'

/** How often each work starts its candidates and measures them, by the extent of the run: see {@link Starts}. */
const ROUNDS = {
  // V8 still compiles functions of the gateway after 200,000 requests.
  chat: { quick: { rounds: 1 }, brief: { starts: 2, warmUps: 4, rounds: 2 }, full: { starts: 4, warmUps: 4, rounds: 3 } },
  model: { quick: { rounds: 2 }, brief: { rounds: 3 }, full: { rounds: 11 } },
  events: { quick: { rounds: 1 }, brief: { starts: 2, rounds: 1 }, full: { starts: 3, rounds: 2 } },
  // A fresh process for each round: nothing is warm.
  streams: { quick: { warmUps: 0, rounds: 1 }, brief: { warmUps: 0, rounds: 3 }, full: { warmUps: 0, rounds: 3 } },
  uploads: { quick: { rounds: 1 }, brief: { rounds: 3 }, full: { rounds: 5 } },
  catalog: { quick: { rounds: 1 }, brief: { rounds: 3 }, full: { starts: 3, rounds: 2 } },
  telemetry: { quick: { rounds: 2 }, brief: { starts: 2, warmUps: 3, rounds: 5 }, full: { starts: 3, warmUps: 4, rounds: 8 } },
  processes: { quick: { rounds: 1 }, brief: { rounds: 2 }, full: { rounds: 5 } },
  start: { quick: { rounds: 2 }, brief: { rounds: 3 }, full: { rounds: 7 } }
} satisfies Record<string, Record<Extent, Starts>>

/** Seconds for which events are counted. */
const EVENT_SECONDS: Record<Extent, number> = { quick: 1, brief: 3, full: 4 }

/** Several rows of one process, which the first of them starts: two processes of a program differ by more than what the rows compare. */
function rowsOf (candidate: Candidate, names: Record<string, string>): Candidate[] {
  let started: Promise<Running>
  return Object.entries(names).map(([name, label], i) => ({
    ...candidate,
    name,
    label,
    async start (context) {
      if (i === 0) started = candidate.start(context)
      const running = await started
      return i === 0 ? running : { ...running, stop: async () => {} }
    }
  }))
}

/** A chat request of exactly that many bytes. */
function chatBody (bytes: number, fields = ''): string {
  const [open, close] = [`{${fields}"messages":[{"role":"user","content":"`, '"}],"temperature":0.7}']
  return open + 'x'.repeat(bytes - open.length - close.length) + close
}

const CPU: Column = { key: 'cpu', label: 'CPU per request, µs', digits: 1 }
const REQUEST_COLUMNS: Column[] = [
  CPU,
  { key: 'rate', label: 'requests/s, 32 connections', digits: 0 },
  { key: 'added_p50', label: 'added p50, ms', digits: 3 },
  { key: 'added_p99', label: 'added p99, ms', digits: 3 }
]

const chat: Work = {
  name: 'chat',
  async run (options) {
    const ask: Ask = { method: 'POST', path: CHAT, body: chatBody(1024, '"model":"bench",') }
    const rows = await withUpstream('json', upstreamPort => interleave(
      [direct, nginx, haproxy, bare, gateway, keyedGateway, stock, portkey], { scratch: options.scratch, upstreamPort },
      async running => ({ ...await requestFigures(running, ask, options), ...await delayFigures(running, ask, options) }), ROUNDS.chat[options.extent]))
    addDelays(rows, 'p50', 'p99')
    return [{
      name: 'chat',
      title: '1 KB chat request, model named',
      about: 'Requests at full speed on 32 connections for CPU and throughput; then one at a time for the delay that the proxy adds.',
      columns: REQUEST_COLUMNS,
      rows
    }]
  }
}

/** A path that an operator has added: its bodies go upstream unread. */
const UNSCANNED = '/v1/unscanned'
const gatewayWithUnscanned: Candidate = {
  name: 'gateway-unscanned',
  label: 'the gateway, a path that is not scanned',
  start: context => gateway.start({ ...context, settings: { ...context.settings, PROXY_EXTRA_PATHS: 'unscanned' } })
}

const model: Work = {
  name: 'model',
  async run (options) {
    const asks: Record<string, Ask> = {
      unscanned: { method: 'POST', path: UNSCANNED, body: chatBody(1024) },
      named: { method: 'POST', path: CHAT, body: chatBody(1024, '"model":"bench",') },
      added: { method: 'POST', path: CHAT, body: chatBody(1024) }
    }
    const candidates = rowsOf(gatewayWithUnscanned, { unscanned: 'the gateway, a path that is not scanned', named: 'the gateway, model named', added: 'the gateway, model put in' })
    const rows = await withUpstream('json', upstreamPort => interleave(candidates, { scratch: options.scratch, upstreamPort },
      (running, { name }) => requestFigures(running, asks[name]!, options), ROUNDS.model[options.extent]))
    addDifferences(rows, 'cpu')
    return [{
      name: 'model',
      title: '1 KB chat request, default model put in',
      about: 'The same bytes three ways through one gateway process.',
      columns: [CPU, { key: 'extra_cpu', label: 'over unscanned, µs', digits: 1 }],
      rows
    }]
  }
}

/** Adds to each sample how far it lies above the first row's of the same round. */
function addDifferences (rows: readonly Row[], key: string): void {
  for (const row of rows) {
    for (const [round, sample] of row.samples.entries()) sample[`extra_${key}`] = sample[key]! - rows[0]!.samples[round]![key]!
  }
}

const STREAM_ASK: Ask = { method: 'POST', path: CHAT, headers: { accept: 'text/event-stream' }, body: chatBody(1024, '"model":"bench","stream":true,') }

const profile: Work = {
  name: 'profile',
  run: async options => [await profileTable(options, { method: 'POST', path: CHAT, body: chatBody(1024) })]
}

/** 100 streams, for the CPU time of an event and its delay. */
async function eventFigures (running: Running, extent: Extent): Promise<Sample> {
  let cpu = NaN
  const pids = running.pids()
  const report = await runLoad(
    { kind: 'streams', port: running.port, head: headOf(STREAM_ASK, running), body: STREAM_ASK.body, streams: 100, warmSeconds: extent === 'quick' ? 0.3 : 1, seconds: EVENT_SECONDS[extent] },
    phase => { cpu = cpuSeconds(pids) - (phase === 'begin' ? 0 : cpu) })
  if (report.served !== 100) throw new Error(`${report.served} of 100 streams were served`)
  return { cpu: pids.length === 0 ? NaN : cpu / report.events! * 1e6, rate: report.events! / report.seconds!, p50: report.p50!, p99: report.p99!, firstByte: report.firstByteP50! }
}

/** Of 100 streams with 20 ms between two events. */
const EVENTS_PER_SECOND = 100 * 50

const sse: Work = {
  name: 'sse',
  async run ({ extent, scratch }) {
    const rows = await withUpstream('sse', upstreamPort => interleave(
      [direct, nginx, haproxy, bare, gateway, stock, portkey], { scratch, upstreamPort },
      running => eventFigures(running, extent), ROUNDS.events[extent]))
    addDelays(rows, 'p50', 'p99', 'firstByte')
    return [{
      name: 'sse',
      title: '100 event streams, 50 events a second each',
      about: 'Events of 120 bytes, each stamped by the service as it is sent and read by the client. The streams are spread over the 20 ms between events.',
      columns: [
        { key: 'cpu', label: 'CPU per 1,000 events, ms', digits: 1 },
        { key: 'rate', label: 'events/s', digits: 0 },
        { key: 'added_p50', label: 'added p50, ms', digits: 3 },
        { key: 'added_p99', label: 'added p99, ms', digits: 2 },
        { key: 'added_firstByte', label: 'added to the first byte (p50, 100 at once), ms', digits: 1 }
      ],
      rows
    }]
  }
}

const streams: Work = {
  name: 'streams',
  async run ({ extent, scratch }) {
    const tables: Table[] = []
    for (const count of extent === 'full' ? [2000, 5000] : [2000]) {
      const settings = { MAX_CONCURRENT_REQUESTS: '8192' }
      const rows = await withUpstream('sse', async upstreamPort => {
        // Memory is measured on a fresh process each time, so nothing is started ahead.
        const onDemand = (candidate: Candidate): Candidate => ({ ...candidate, start: async () => idle })
        const idle: Running = { port: 0, headers: {}, pids: () => [], stop: async () => {} }
        // Streams that are not served are waited for: all but the full run go without those who leave some.
        const candidates = extent === 'full' ? [direct, nginx, haproxy, bare, gateway, stock] : [direct, nginx, bare, gateway]
        return interleave(candidates.map(onDemand), { scratch, upstreamPort }, async (_, { name }) => {
          const running = await candidates.find(candidate => candidate.name === name)!.start({ scratch, upstreamPort, settings })
          try {
            await sleep(300)
            const pids = running.pids()
            const atRest = residentKilobytes(pids)
            let open = 0
            const report = await runLoad(
              { kind: 'streams', port: running.port, head: headOf(STREAM_ASK, running), body: STREAM_ASK.body, streams: count, warmSeconds: 1, seconds: extent === 'quick' ? 0.5 : 1 },
              phase => { if (phase === 'end') open = residentKilobytes(pids) })
            return { served: report.served!, firstByteP50: report.firstByteP50!, firstByteMax: report.firstByteMax!, memory: pids.length === 0 ? NaN : (open - atRest) / count }
          } finally {
            await running.stop()
          }
        }, ROUNDS.streams[extent])
      }, 1000)
      tables.push({
        name: `streams-${count}`,
        title: `${count.toLocaleString('en')} event streams opened at once`,
        about: 'One event a second on each; a fresh process for each round. The gateway runs with `MAX_CONCURRENT_REQUESTS=8192`, since its default cap (1,024) would queue the rest. `npm start` bounds the part of the heap where V8 keeps new objects, which Node otherwise lets grow to 128 MB while thousands of requests begin, and begins with 16 MB of it, which count as idle: at 5,000 streams the process then takes 54 KB for each in all, and 57 without. The other Node programs run with Node\'s own settings.',
        columns: [
          { key: 'served', label: 'served', digits: 0 },
          { key: 'firstByteP50', label: 'first byte p50, ms', digits: 0 },
          { key: 'firstByteMax', label: 'first byte latest, ms', digits: 0 },
          { key: 'memory', label: 'memory per stream over idle, KB', digits: 1 }
        ],
        rows
      })
    }
    return tables
  }
}

interface UploadKind { name: string, title: string, megabytes: number, path: string, type: string, start: string, end: string, settings?: Record<string, string> }

const BOUNDARY = 'bench-boundary-0123456789'
const PICTURE_CHAT = '"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,'
const UPLOADS: UploadKind[] = [
  { name: 'upload-10', title: '10 MB JSON upload, model named', megabytes: 10, path: CHAT, type: 'application/json', start: `{"model":"bench",${PICTURE_CHAT}`, end: '"}}]}]}' },
  { name: 'upload-10-model', title: '10 MB JSON upload, default model put in', megabytes: 10, path: CHAT, type: 'application/json', start: `{${PICTURE_CHAT}`, end: '"}}]}]}' },
  {
    name: 'upload-100',
    title: '100 MB multipart upload',
    megabytes: 100,
    path: '/v1/images/edits',
    type: `multipart/form-data; boundary=${BOUNDARY}`,
    start: `--${BOUNDARY}\r\ncontent-disposition: form-data; name="prompt"\r\n\r\na hat\r\n--${BOUNDARY}\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\ncontent-type: image/png\r\n\r\n`,
    end: `\r\n--${BOUNDARY}--\r\n`
  }
]

const uploads: Work = {
  name: 'uploads',
  async run ({ extent, scratch }) {
    const tables: Table[] = []
    for (const { name, title, megabytes, path, type, start, end } of UPLOADS) {
      const ask: Ask = { method: 'POST', path, headers: { 'content-type': type } }
      const candidates = name === 'upload-10-model' ? [direct, bare, gatewayWithUnscanned, gateway] : [direct, nginx, haproxy, bare, gateway, stock]
      const rows = await withUpstream('sink', upstreamPort => interleave(candidates, { scratch, upstreamPort }, async (running, candidate) => {
        const count = Math.max(1, Math.floor((extent === 'quick' ? 50 : 200) / megabytes))
        const head = headOf({ ...ask, path: candidate === gatewayWithUnscanned ? UNSCANNED : path }, running)
        const pids = running.pids()
        const atRest = residentKilobytes(pids)
        resetPeak(pids)
        const [cpu, report] = await cpuDuring(running, () => runLoad({ kind: 'uploads', port: running.port, head, start, end, bytes: megabytes * 1e6, count }))
        if (report.errors! > 0) throw new Error('uploads failed')
        return {
          cpu: cpu / report.uploads! * 1000,
          firstByte: report.firstByte!,
          firstByteMax: report.firstByteMax!,
          milliseconds: report.milliseconds!,
          memory: pids.length === 0 ? NaN : (peakKilobytes(pids) - atRest) / 1024
        }
      }, ROUNDS.uploads[extent]))
      tables.push({
        name,
        title,
        about: 'One upload after the other on one connection. The service drops the body and says when its first byte arrived. The gateway stores a body (one above 256 KB on disk) before it sends it, so its first byte goes out after the last has come in; the others pass the bytes on as they come.',
        columns: [
          { key: 'cpu', label: 'CPU per upload, ms', digits: 2 },
          { key: 'firstByte', label: 'first byte in to first byte out, ms', digits: 2 },
          { key: 'firstByteMax', label: 'latest, ms', digits: 2 },
          { key: 'milliseconds', label: 'whole upload, ms', digits: 1 },
          { key: 'memory', label: 'peak memory over before, MB', digits: 1 }
        ],
        rows
      })
    }
    return tables
  }
}

/** A catalog of that many models, as an operator would write it. */
function catalogFile (scratch: string, count: number): string {
  const file = `${scratch}/catalog-${count}.json`
  const chat = Array.from({ length: count }, (_, i) => ({
    id: `vendor-${i % 7}/some-model-${i}-instruct`,
    name: `Some Model ${i} Instruct`,
    description: 'A model for conversations, code and summaries, with a long context.',
    contextLength: 131072
  }))
  writeFileSync(file, JSON.stringify({ chat }))
  return file
}

const catalog: Work = {
  name: 'catalog',
  async run (options) {
    const tables: Table[] = []
    for (const count of options.extent === 'quick' ? [20] : [20, 200]) {
      const CATALOG_FILE = catalogFile(options.scratch, count)
      const withModels = (candidate: Candidate): Candidate => ({ ...candidate, start: context => candidate.start({ ...context, settings: { ...context.settings, CATALOG_FILE } }) })
      let tag = ''
      const replay = (status: number): Candidate => ({
        name: `replay-${status}`,
        label: `bare node:http, the same bytes: ${status}`,
        async start ({ scratch, upstreamPort }) {
          const port = await freePort()
          const replayed = await answerOf(scratch, upstreamPort, { CATALOG_FILE })
          tag = replayed.tag
          const child = startScript('peers.ts', { peer: 'replay', port, replayed })
          await untilAnswers(port)
          return { port, headers: {}, pids: () => [child.pid!], stop: () => end(child) }
        }
      })
      const both = (candidate: Candidate) => rowsOf(withModels(candidate), Object.fromEntries([200, 304].map(status => [`${candidate.name}-${status}`, `${candidate.label}: ${status}`])))
      const candidates = [replay(200), replay(304), ...both(gateway), ...both(keyedGateway)]
      const rows = await interleave(candidates, { scratch: options.scratch, upstreamPort: 9 }, (running, { name }) =>
        requestFigures(running, { method: 'GET', path: '/v1/models', ...(name.endsWith('304') && { headers: { 'if-none-match': tag } }) }, options), ROUNDS.catalog[options.extent])
      tables.push({
        name: `catalog-${count}`,
        title: `GET /v1/models, ${count} models`,
        about: 'The yardstick sends the very bytes that the gateway sends, headers included, and does nothing else.',
        columns: [CPU, { key: 'perCpuSecond', label: 'requests per CPU second', digits: 0 }, { key: 'rate', label: 'requests/s', digits: 0 }],
        rows
      })
    }
    return tables
  }
}

/** What the gateway answers to a request for its list: what the yardstick will send. */
async function answerOf (scratch: string, upstreamPort: number, settings: Record<string, string>): Promise<{ headers: string[], body: string, tag: string }> {
  const running = await startGateway({ scratch, upstreamPort, settings })
  try {
    const response = await fetch(`http://127.0.0.1:${running.port}/v1/models`)
    const headers = [...response.headers].filter(([name]) => !['date', 'connection', 'keep-alive'].includes(name)).flat()
    return { headers, body: await response.text(), tag: response.headers.get('etag')! }
  } finally {
    await running.stop()
  }
}

const startup: Work = {
  name: 'start',
  async run ({ extent, scratch }) {
    const idle: Running = { port: 0, headers: {}, pids: () => [], stop: async () => {} }
    const scripted = (name: string, peer: string, label: string): Candidate => ({
      name,
      label,
      async start ({ upstreamPort }) {
        const port = await freePort()
        const replayed = { headers: [], body: '', tag: '' }
        const child = startScript('peers.ts', { peer, port, upstream: `http://127.0.0.1:${upstreamPort}`, replayed })
        await untilAnswers(port)
        return { port, headers: {}, pids: () => [child.pid!], stop: () => end(child) }
      }
    })
    const candidates = [nginx, scripted('node', 'replay', 'bare node:http'), scripted('plugins', 'plugins', 'Fastify, the same plugins registered'), gateway, portkey]
    const rows = await interleave(candidates.map(candidate => ({ ...candidate, start: async () => idle })), { scratch, upstreamPort: 9 }, async (_, { name }) => {
      const began = performance.now()
      const running = await candidates.find(candidate => candidate.name === name)!.start({ scratch, upstreamPort: 9 })
      const firstAnswer = performance.now() - began
      try {
        const cpu = cpuSeconds(running.pids()) * 1000
        await sleep(extent === 'full' ? 1000 : 500)
        return { firstAnswer, cpu, memory: residentKilobytes(running.pids()) / 1024 }
      } finally {
        await running.stop()
      }
    }, ROUNDS.start[extent])
    return [{
      name: 'start',
      title: 'Start and rest',
      about: 'From the start of the process to its first answer; memory at rest, half a second to a second later. What the gateway takes over the same plugins is its own source, whose types Node strips at each start, and the OpenAPI document and its schemas (`node --cpu-prof src/server.ts` shows them).',
      columns: [{ key: 'firstAnswer', label: 'first answer after, ms', digits: 0 }, { key: 'cpu', label: 'CPU until then, ms', digits: 0 }, { key: 'memory', label: 'memory at rest, MB', digits: 0 }],
      rows
    }]
  }
}

const processes: Work = {
  name: 'processes',
  async run (options) {
    const ask: Ask = { method: 'POST', path: CHAT, body: chatBody(1024, '"model":"bench",') }
    const times = (candidate: Candidate, processes: number): Candidate => ({
      name: `${candidate.name}-${processes}`,
      label: `${candidate.label}, ${processes === 1 ? 'one process' : 'two processes'}`,
      start: context => candidate.start({ ...context, processes })
    })
    const rows = await withUpstream('json', upstreamPort => interleave(
      [times(nginx, 1), times(nginx, 2), times(gateway, 1), times(gateway, 2)], { scratch: options.scratch, upstreamPort },
      running => requestFigures(running, ask, options), ROUNDS.processes[options.extent]))
    return [{
      name: 'processes',
      title: 'Two processes on one port',
      about: 'The 1 KB chat request again, with `REUSE_PORT=true` for the gateway. Service and client share the machine with the processes, so on two cores a second process cannot double the throughput.',
      columns: [CPU, { key: 'rate', label: 'requests/s, 32 connections', digits: 0 }],
      rows
    }]
  }
}

const METRICS_LABELS = { 'metrics-off': 'the gateway, without metrics and usage', 'metrics-on': 'the gateway' }

/** Switches the metrics off, or on again. They are on at first. */
const switchMetrics = (running: Running) => running.pids().forEach(pid => process.kill(pid, 'SIGUSR2'))

/** A chat request's figures with metrics, or without them. */
async function switchedRequestFigures (running: Running, { name }: Candidate, ask: Ask, options: Options): Promise<Sample> {
  if (name === 'metrics-on') return await requestFigures(running, ask, options)
  switchMetrics(running)
  try {
    return await requestFigures(running, ask, options)
  } finally {
    switchMetrics(running)
  }
}

/** Pairs of seconds in which events are counted with metrics and without. */
const SWITCHED_PAIRS: Record<Extent, number> = { quick: 3, brief: 20, full: 60 }

/**
 * What events cost with metrics and without, second by second of the same streams:
 * how events meet in one read differs from one set of streams to the next, and
 * changes their cost by more than metrics do.
 */
async function switchedEventRows (upstreamPort: number, { extent, scratch }: Options): Promise<Row[]> {
  const running = await switchedGateway.start({ scratch, upstreamPort })
  const samples: Record<string, Sample[]> = { 'metrics-off': [], 'metrics-on': [] }
  const oneSecond = async (name: string) => {
    const from = performance.now()
    const [cpu] = await cpuDuring(running, () => sleep(1000))
    samples[name]!.push({ cpu: cpu / (EVENTS_PER_SECOND * (performance.now() - from) / 1000) * 1e6 })
  }
  const alternate = async () => {
    for (let pair = 0; pair < SWITCHED_PAIRS[extent]; pair++) {
      await oneSecond('metrics-on')
      switchMetrics(running)
      await oneSecond('metrics-off')
      switchMetrics(running)
    }
  }
  try {
    const load = { kind: 'streams', port: running.port, head: headOf(STREAM_ASK, running), body: STREAM_ASK.body, streams: 100, warmSeconds: 5, seconds: 3 * SWITCHED_PAIRS[extent] }
    let alternating: Promise<void> | undefined
    const report = await runLoad(load, phase => { if (phase === 'begin') alternating = alternate() })
    await alternating
    if (report.served !== 100) throw new Error(`${report.served} of 100 streams were served`)
    return Object.entries(METRICS_LABELS).map(([candidate, label]) => ({ candidate, label, samples: samples[candidate]! }))
  } finally {
    await running.stop()
  }
}

const telemetry: Work = {
  name: 'telemetry',
  async run (options) {
    const ask: Ask = { method: 'POST', path: CHAT, body: chatBody(1024, '"model":"bench",') }
    const ofChat = await withUpstream('json', upstreamPort => interleave(rowsOf(switchedGateway, METRICS_LABELS), { scratch: options.scratch, upstreamPort },
      (running, candidate) => switchedRequestFigures(running, candidate, ask, options), ROUNDS.telemetry[options.extent]))
    const ofEvents = await withUpstream('sse', upstreamPort => switchedEventRows(upstreamPort, options))
    const about = 'No setting turns metrics off. Both rows are one process, in which they are switched off and on (test/bench/switched-metrics.ts): without them nothing is counted, and no answer is read for its tokens. The log line is written all the same.'
    return [
      { name: 'telemetry-chat', title: 'What metrics cost: 1 KB chat request', about, columns: [CPU], rows: ofChat },
      { name: 'telemetry-events', title: 'What metrics cost: 100 event streams', about: 'The same for events, second by second of the same streams.', columns: [{ key: 'cpu', label: 'CPU per 1,000 events, ms', digits: 1 }], rows: ofEvents }
    ]
  }
}

const scanners: Work = {
  name: 'scanners',
  async run ({ extent }) {
    const rows = benchScanners({ quick: extent === 'quick' }).map(({ work, way, median, min, max, ratio }): Row => ({
      candidate: `${work}: ${way}`,
      label: `${work}: ${way}`,
      // As three rounds: what is kept of its own are the median and the ends.
      samples: [min, median, max].map(cpu => ({ cpu, ratio }))
    }))
    return [{
      name: 'scanners',
      title: 'Finding the model, and where the default goes, by itself',
      about: 'Bodies in chunks of 64 KB, as sockets give them, through the scanner and nothing else. The default is written between the body\'s bytes as they are sent.',
      columns: [{ key: 'cpu', label: 'CPU per body, µs', digits: 1 }, { key: 'ratio', label: '× the scanner', digits: 2 }],
      rows
    }]
  }
}

const admin: Work = { name: 'admin', run: async options => [await adminTable(options)] }

/** All works, in the order of the report. */
export const WORKS: readonly Work[] = [chat, model, sse, streams, uploads, catalog, admin, startup, processes, scanners, telemetry, profile]

/** Works that a brief run leaves out. */
export const NOT_BRIEF: readonly Work[] = [model, startup]

export type { Options }
