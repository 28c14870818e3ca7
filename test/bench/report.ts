import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { arch, availableParallelism, cpus, release, totalmem } from 'node:os'
import { versionOf } from './candidates.ts'
import type { Column, Extent, Row, Table } from './measure.ts'

export interface Figure { median: number, min: number, max: number }

/** Everything of one run, as `--json` writes it. */
export interface Run { extent: Extent, minutes: number, machine: Record<string, string>, tables: Table[] }

export function figure (values: number[]): Figure | undefined {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b)
  if (sorted.length === 0) return undefined
  const middle = sorted.length >> 1
  return { median: sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2, min: sorted[0]!, max: sorted.at(-1)! }
}

const columnFigure = (row: Row, key: string) => figure(row.samples.map(sample => sample[key]!))
const show = (value: number, digits = 2) => value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: digits === 0 })

function cell (row: Row, { key, digits }: Column): string {
  const found = columnFigure(row, key)
  if (found === undefined) return '–'
  return `${show(found.median, digits)} (${show(found.min, digits)}–${show(found.max, digits)})`
}

/** A table in Markdown, which reads as well on a terminal. */
export function tableText ({ title, about, columns, rows }: Table): string {
  const lines = [['', ...columns.map(column => column.label)], ...rows.map(row => [row.label, ...row.note === undefined ? columns.map(column => cell(row, column)) : [row.note, ...columns.slice(1).map(() => '')]])]
  const widths = lines[0]!.map((_, i) => Math.max(...lines.map(line => line[i]!.length)))
  const text = lines.map(line => `| ${line.map((part, i) => i === 0 ? part.padEnd(widths[i]!) : part.padStart(widths[i]!)).join(' | ')} |`)
  text.splice(1, 0, `|${widths.map((width, i) => i === 0 ? '-'.repeat(width + 2) : '-'.repeat(width + 1) + ':').join('|')}|`)
  return `\n### ${title}\n\n${about}\n\n${text.join('\n')}\n`
}

interface Goal {
  readonly work: string
  readonly text: string
  /** The figure to judge, undefined where the run has not what it takes. */
  measure (tables: Tables, candidate: string): Figure | undefined
  /** Whose figure stands beside it: what this machine lets others reach. */
  readonly others?: readonly string[]
  readonly limit: number
  readonly atLeast?: boolean
  readonly digits?: number
}

class Tables {
  readonly #tables: Table[]

  constructor (tables: Table[]) {
    this.#tables = tables
  }

  row (table: string, candidate: string): Row | undefined {
    return this.#tables.find(({ name }) => name === table)?.rows.find(row => row.candidate === candidate && row.samples.length > 0)
  }

  value (table: string, candidate: string, key: string): Figure | undefined {
    const row = this.row(table, candidate)
    return row === undefined ? undefined : columnFigure(row, key)
  }

  /** Two candidates' figures set against each other round by round. */
  against (table: string, key: string, candidate: string, other: string, compare = (a: number, b: number) => a / b): Figure | undefined {
    const [row, base] = [this.row(table, candidate), this.row(table, other)]
    if (row === undefined || base === undefined) return undefined
    return figure(row.samples.map((sample, round) => compare(sample[key]!, base.samples[round]?.[key] ?? NaN)))
  }
}

const shareOver = (a: number, b: number) => a / b - 1

const GOALS: Goal[] = [
  { work: '1 KB chat, CPU per request', text: '≤ 1.5 × bare node:http + undici', measure: t => t.against('chat', 'cpu', 'gateway', 'bare'), limit: 1.5 },
  { work: '', text: '≤ 0.5 × Fastify + @fastify/http-proxy', measure: (t, candidate) => t.against('chat', 'cpu', candidate, 'stock'), limit: 0.5, others: ['bare'] },
  { work: '', text: 'metrics: ≤ 8 % of it', measure: t => t.against('telemetry-chat', 'cpu', 'metrics-on', 'metrics-off', shareOver), limit: 0.08, digits: 3 },
  { work: 'model added, extra CPU (the scanner by itself)', text: '≤ 5 µs for 1 KB', measure: t => t.value('scanners', '1 KB chat, model put in: scanner', 'cpu'), limit: 5 },
  { work: '', text: '≤ 1,000 µs for 10 MB', measure: t => t.value('scanners', '10 MB, model put in: scanner', 'cpu'), limit: 1000, digits: 0 },
  { work: 'SSE, CPU per 1,000 events', text: '≤ 0.95 × bare node:http + undici', measure: t => t.against('sse', 'cpu', 'gateway', 'bare'), limit: 0.95 },
  { work: '', text: 'metrics: ≤ 5 % of it', measure: t => t.against('telemetry-events', 'cpu', 'metrics-on', 'metrics-off', shareOver), limit: 0.05, digits: 3 },
  ...[2000, 5000].flatMap((count): Goal[] => [
    { work: `${count.toLocaleString('en')} streams at once`, text: 'all served', measure: t => t.value(`streams-${count}`, 'gateway', 'served'), limit: count, atLeast: true, digits: 0 },
    { work: '', text: 'memory per stream ≤ 0.9 × bare node:http + undici', measure: t => t.against(`streams-${count}`, 'memory', 'gateway', 'bare'), limit: 0.9 }
  ]),
  ...[10, 100].flatMap((size): Goal[] => [
    { work: `${size} MB upload`, text: 'CPU ≤ 1.4 × bare node:http + undici', measure: t => t.against(`upload-${size}`, 'cpu', 'gateway', 'bare'), limit: 1.4 },
    { work: '', text: 'memory + ≤ 24 MB', measure: t => t.value(`upload-${size}`, 'gateway', 'memory'), limit: 24, digits: 1 }
  ]),
  ...[20, 200].flatMap((count): Goal[] => [
    { work: `catalog, ${count} models`, text: '≥ 0.6 × the requests per CPU second of bare node:http', measure: t => t.against(`catalog-${count}`, 'perCpuSecond', 'gateway-200', 'replay-200'), limit: 0.6, atLeast: true }
  ]),
  { work: '5,000 models', text: 'an edit ≤ 50 ms of event-loop time', measure: t => t.value('admin', 'gateway', 'loop'), limit: 50, digits: 1 },
  { work: '', text: '/healthz meanwhile ≤ 100 ms', measure: t => t.value('admin', 'gateway', 'health'), limit: 100, digits: 1 },
  { work: '', text: 'the edits: memory + ≤ 60 MB', measure: t => t.value('admin', 'gateway', 'growth'), limit: 60, digits: 0 },
  { work: '', text: 'a keystroke in the search, painted: p95 ≤ 100 ms', measure: t => t.value('admin', 'gateway', 'keyP95'), limit: 100, digits: 0 },
  { work: 'start', text: 'first answer ≤ 1.5 × Fastify with the same plugins', measure: t => t.against('start', 'firstAnswer', 'gateway', 'plugins'), limit: 1.5 }
]

/** Each goal that this run can judge, with what this run says of it. */
export function goalsText (all: Table[]): string {
  const tables = new Tables(all)
  let named = ''
  const lines = GOALS.flatMap(({ work, text, measure, limit, atLeast = false, digits = 2, others = [] }) => {
    if (work !== '') named = work
    const found = measure(tables, 'gateway')
    if (found === undefined) return []
    const reached = atLeast ? found.median >= limit : found.median <= limit
    const beside = others.flatMap(candidate => {
      const figure = measure(tables, candidate)
      return figure === undefined ? [] : [`${candidate} ${show(figure.median, digits)}`]
    })
    return [`| ${named} | ${text} | ${show(found.median, digits)} (${show(found.min, digits)}–${show(found.max, digits)}) | ${reached ? 'reached' : '**not reached**'} | ${beside.join(', ')} |`]
  })
  return `\n| work | goal | measured | | the same of others |\n|---|---|---|---|---|\n${lines.join('\n')}\n`
}

/** What the figures were measured on. */
export function machine (): Record<string, string> {
  return {
    processor: `${cpus()[0]?.model.trim() ?? 'unknown'}, ${availableParallelism()} cores, ${arch()}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GB`,
    kernel: release(),
    Node: process.version,
    nginx: versionOf('nginx', '-v'),
    HAProxy: versionOf('haproxy', '-v'),
    wrk: versionOf('wrk', '-v')
  }
}

const METHOD = `Absolute times mean little on a shared machine, so every figure is the median of
interleaved rounds (A B C A B C …) with the lowest and highest beside it, and a goal is
judged by the ratio of two candidates in the same round. The main figure is the CPU time
of the proxy's processes for a unit of work, as the kernel's scheduler accounts it
(\`/proc/PID/task/*/schedstat\`): a busy machine disturbs that figure least. The first
round after a start warms everybody up and is not counted; for the chat request the first
four, because V8 still compiles the gateway's functions after 200,000 requests. The chat
request is measured in four starts, event streams and the catalog in three, since two
processes of one program are not compiled alike. What metrics cost is measured in one
process, where they are switched off and on. All is on loopback. With
\`--brief\` there are fewer starts and rounds.

- The **service** is a stub that writes prepared bytes to raw sockets; the **client** is wrk,
  or raw sockets of ours where it is missing and for streams and uploads.
- **nginx** and **HAProxy**: one process, kept-alive connections to the service, no
  buffering; nginx writes its access log, as its default is.
- **bare**: \`node:http\` and undici's \`dispatch\` on the same Node, with as little between
  the two sockets as one can have: no router, log, limits, time limits or error answers.
- **Fastify + @fastify/http-proxy** by its documentation, and **Portkey** as its package
  starts it.
- **The gateway** as shipped: started as its users do, its log (\`info\`) to a file, every
  protection on.`

/** Below this line of performance.md stands what is measured by other means; it is kept. */
const KEPT = '<!-- `npm run bench -- --docs` makes what is above this line, and keeps what is below. -->'

function keptPart (file: string): string {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : ''
  return text.includes(KEPT) ? text.slice(text.indexOf(KEPT)) : ''
}

/**
 * Writes performance.md and performance.svg.
 * @param works the names of all works
 */
export function performancePage (run: Run, command: string, works: readonly string[], folder: string): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${folder}/performance.svg`, chart(run.tables))
  const facts = Object.entries(run.machine).map(([name, value]) => `- ${name}: ${value}`).join('\n')
  const kept = keptPart(`${folder}/performance.md`)
  writeFileSync(`${folder}/performance.md`, `# Performance

Made by \`${command}\` in ${Math.round(run.minutes)} minutes; run it again to see your own machine's figures.
\`npm run bench -- --quick\` takes two minutes, \`--brief\` 15, all works 45; \`--only WORK\` measures one of
${works.map(name => `\`${name}\``).join(', ')}; \`--json FILE\` keeps the figures. Portkey takes part where
\`BENCH_PORTKEY\` names the folder of \`npm i --prefix FOLDER @portkey-ai/gateway\`.

![CPU time beside other proxies](performance.svg)

## Goals
${goalsText(run.tables)}
## Method

${METHOD}

Machine:

${facts}

## Figures
${run.tables.map(tableText).join('')}${kept === '' ? '' : `\n${kept}`}`)
}

interface Bar { label: string, value: number, own: boolean }

const CHARTS: { table: string, key: string, title: string, digits: number }[] = [
  { table: 'chat', key: 'cpu', title: 'CPU time per 1 KB chat request, µs', digits: 0 },
  { table: 'sse', key: 'cpu', title: 'CPU time per 1,000 streamed events, ms', digits: 1 },
  { table: 'streams-2000', key: 'memory', title: 'Memory per open stream (2,000 at once), KB', digits: 1 }
]

const WIDTH = 720
const LABELS = 230
const BAR = 18
const LINE = 26

/** Horizontal bars, one group for each of {@link CHARTS}. A bar too long for the page is cut, and says so by its figure. */
function chart (tables: Table[]): string {
  const parts: string[] = []
  let y = 8
  for (const { table, key, title, digits } of CHARTS) {
    const rows = tables.find(({ name }) => name === table)?.rows ?? []
    const bars = rows.flatMap(({ candidate, label, samples }): Bar[] => {
      const found = figure(samples.map(sample => sample[key]!))
      return found === undefined ? [] : [{ label, value: found.median, own: candidate.startsWith('gateway') }]
    })
    if (bars.length === 0) continue
    // The longest may be many times the rest: the second longest sets the scale.
    const longest = bars.map(bar => bar.value).sort((a, b) => b - a)
    const scale = (WIDTH - LABELS - 70) / Math.max(longest[1] ?? 0, longest[0]! / 3)
    y += LINE
    parts.push(`<text class="title" x="0" y="${y - 8}">${title}</text>`)
    for (const { label, value, own } of bars) {
      const length = Math.min(value * scale, WIDTH - LABELS - 70)
      parts.push(
        `<text x="${LABELS - 8}" y="${y + 14}" text-anchor="end">${label.replace('&', '&amp;')}</text>`,
        `<rect class="${own ? 'own' : 'peer'}" x="${LABELS}" y="${y}" width="${length.toFixed(1)}" height="${BAR}"/>`,
        `<text x="${(LABELS + length + 6).toFixed(1)}" y="${y + 14}">${show(value, digits)}</text>`)
      y += LINE
    }
    y += 10
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" font-family="system-ui, sans-serif" font-size="13">
<style>
text { fill: #222 } .title { font-weight: 600; font-size: 14px } .own { fill: #0b7285 } .peer { fill: #adb5bd }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .own { fill: #3bc9db } .peer { fill: #666 } }
</style>
${parts.join('\n')}
</svg>
`
}
