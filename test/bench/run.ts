/**
 * Measures the gateway beside its peers; what the figures are for is in
 * docs/performance.md, which this writes.
 *
 *   npm run bench -- [--quick] [--only WORK]... [--json FILE] [--docs]
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { parseArgs } from 'node:util'
import type { Table } from './measure.ts'
import { endAll } from './processes.ts'
import { goalsText, machine, performancePage, tableText } from './report.ts'
import { WORKS } from './works.ts'

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
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
  for (const work of WORKS) {
    if (values.only.length > 0 && !values.only.includes(work.name)) continue
    for (const table of await work.run({ quick: values.quick, scratch })) {
      tables.push(table)
      console.log(tableText(table))
    }
  }
  console.log(goalsText(tables))
  const minutes = (performance.now() - began) / 60_000
  const run = { quick: values.quick, minutes, machine: machine(), tables }
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(run, null, 2) + '\n')
  if (values.docs) performancePage(run, ['npm run bench --', ...process.argv.slice(2)].join(' '), `${import.meta.dirname}/../../docs`)
  await leave(0)
} catch (error) {
  console.error(error)
  await leave(1)
}
