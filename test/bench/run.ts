/**
 * Measures the gateway beside its peers; what the figures are for is in
 * docs/performance.md, which this writes.
 *
 *   npm run bench -- [--quick | --brief] [--only WORK]... [--json FILE] [--docs]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import type { Extent, Table } from './measure.ts'
import { endAll } from './processes.ts'
import { goalsText, machine, performancePage, tableText } from './report.ts'
import { NOT_BRIEF, WORKS } from './works.ts'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    brief: { type: 'boolean', default: false },
    json: { type: 'string' },
    only: { type: 'string', multiple: true, default: [] },
    docs: { type: 'boolean', default: false }
  }
})
const unknown = values.only.filter(name => !WORKS.some(work => work.name === name))
if (unknown.length > 0) {
  console.error(`No such work: ${unknown.join(', ')}. There are: ${WORKS.map(work => work.name).join(', ')}.`)
  process.exit(2)
}

const extent: Extent = values.quick ? 'quick' : values.brief ? 'brief' : 'full'
const left = extent === 'brief' ? WORKS.filter(work => !NOT_BRIEF.includes(work)) : WORKS
const works = values.only.length === 0 ? left : WORKS.filter(({ name }) => values.only.includes(name))

const scratch = mkdtempSync(`${tmpdir()}/bench-`)
async function leave (code: number): Promise<never> {
  await endAll()
  rmSync(scratch, { recursive: true, force: true })
  process.exit(code)
}
process.once('SIGINT', () => leave(130))
process.once('SIGTERM', () => leave(143))

const began = performance.now()
const tables: Table[] = []
try {
  for (const work of works) {
    for (const table of await work.run({ extent, scratch })) {
      tables.push(table)
      console.log(tableText(table))
    }
  }
  console.log(goalsText(tables))
  const minutes = (performance.now() - began) / 60_000
  const run = { extent, minutes, machine: machine(), tables }
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(run, null, 2) + '\n')
  if (values.docs) performancePage(run, ['npm run bench --', ...process.argv.slice(2)].join(' '), WORKS.map(({ name }) => name), `${import.meta.dirname}/../../docs`)
  await leave(0)
} catch (error) {
  console.error(error)
  await leave(1)
}
