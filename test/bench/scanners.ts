// What finding `model`, and where it has to be inserted, costs by itself: JSON beside parsing the body
// and writing it again, multipart beside a bare search for the boundary (the floor).
// node test/bench/scanners.ts [--quick] [--json]
import { pathToFileURL } from 'node:url'
import { JsonModelScanner } from '../../src/body/json.ts'
import { MultipartModelScanner } from '../../src/body/multipart.ts'
import type { ModelScanner } from '../../src/body/scanner.ts'

/** One kind of work done one way: CPU microseconds a body, over interleaved rounds. */
export interface ScannerRow {
  work: string
  way: string
  median: number
  min: number
  max: number
  /** Median over the scanner's median for the same work. */
  ratio: number
}

interface Way { way: string, run: () => unknown }
interface Work { work: string, repeat: number, ways: Way[] }

const CHUNK = 64 * 1024
const MODEL = 'gemini-1.5-flash'

function chunked (body: Buffer): Buffer[] {
  return Array.from({ length: Math.ceil(body.length / CHUNK) }, (_, i) => body.subarray(i * CHUNK, (i + 1) * CHUNK))
}

/** The model that is named, or the change that adds the default. */
function scan (scanner: ModelScanner, chunks: Buffer[]): unknown {
  for (const chunk of chunks) scanner.write(chunk)
  scanner.end()
  return scanner.edit ?? scanner.model
}

function json (work: string, body: object, repeat: number): Work {
  const whole = Buffer.from(JSON.stringify(body))
  const chunks = chunked(whole)
  return {
    work,
    repeat,
    ways: [
      { way: 'scanner', run: () => scan(new JsonModelScanner(MODEL), chunks) },
      { way: 'parse + stringify', run: () => Buffer.from(JSON.stringify({ model: MODEL, ...JSON.parse(whole.toString()) })) }
    ]
  }
}

function multipart (work: string, size: number): Work {
  const file = Buffer.allocUnsafe(size)
  // Random-looking, so that CR and dashes turn up as often as in a compressed picture.
  for (let i = 0, x = 1; i < size; i++) {
    x = Math.imul(x, 1664525) + 1013904223 | 0
    file[i] = x >>> 24
  }
  const boundary = '----WebKitFormBoundary7MA4YWxkTrZu0gW'
  const chunks = chunked(Buffer.concat([
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n`),
    file, Buffer.from(`\r\n--${boundary}--\r\n`)
  ]))
  return {
    work,
    repeat: 1,
    ways: [
      { way: 'scanner', run: () => scan(new MultipartModelScanner(MODEL, boundary), chunks) },
      { way: 'indexOf alone', run: () => { for (const chunk of chunks) chunk.indexOf(`\r\n--${boundary}`) } }
    ]
  }
}

function works (quick: boolean): Work[] {
  const content = 'Please answer the following question with care and in the language asked. '.repeat(12)
  const chat = { messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user', content }], temperature: 0.7, stream: true }
  const url = 'data:image/png;base64,' + 'iVBORw0KGgoA'.repeat(10e6 / 12)
  const picture = { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }] }
  const many = quick ? 2_000 : 20_000
  return [
    json('1 KB chat, model named', { model: 'gpt-x', ...chat }, many),
    json('1 KB chat, model put in', chat, many),
    json('10 MB, model first', { model: 'gpt-x', ...picture }, 1),
    json('10 MB, model last', { ...picture, model: 'gpt-x' }, 1),
    json('10 MB, model put in', picture, 1),
    multipart('100 MB multipart, model put in', 100e6)
  ]
}

function cpu ({ run }: Way, repeat: number): number {
  const started = process.cpuUsage()
  for (let i = 0; i < repeat; i++) run()
  const { user, system } = process.cpuUsage(started)
  return (user + system) / repeat
}

/** Runs every way in turn, round after round, so that a busy machine slows all of them alike. */
export function benchScanners ({ quick = false }: { quick?: boolean } = {}): ScannerRow[] {
  const rounds = quick ? 5 : 15
  return works(quick).flatMap(({ work, repeat, ways }) => {
    for (const way of ways) cpu(way, repeat)
    const samples = ways.map((): number[] => [])
    for (let round = 0; round < rounds; round++) ways.forEach((way, i) => samples[i]!.push(cpu(way, repeat)))
    const rows = samples.map((times, i) => {
      times.sort((a, b) => a - b)
      return { work, way: ways[i]!.way, median: times[rounds >> 1]!, min: times[0]!, max: times.at(-1)! }
    })
    return rows.map(row => ({ ...row, ratio: row.median / rows[0]!.median }))
  })
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const rows = benchScanners({ quick: process.argv.includes('--quick') })
  if (process.argv.includes('--json')) console.log(JSON.stringify(rows, null, 2))
  else console.table(rows.map(({ work, way, median, min, max, ratio }) => ({ work, way, 'CPU µs': +median.toFixed(2), 'min–max': `${min.toFixed(2)}–${max.toFixed(2)}`, ratio: +ratio.toFixed(2) })))
}
