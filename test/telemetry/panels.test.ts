// Every panel of the dashboard shows something: a real Prometheus scrapes a running
// gateway, and runs each panel's queries.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { tempDir } from '../catalog/helper.ts'
import { freePort } from '../free-port.ts'
import { startCounted } from './helper.ts'

const missing = process.env.CI === undefined && spawnSync('prometheus', ['--version']).error !== undefined ? 'prometheus is not installed (Debian: prometheus)' : false

interface Panel { title: string, targets: { expr: string }[] }

/** A Prometheus that scrapes that port twice a second; its address. */
async function startPrometheus (t: Test, target: number): Promise<string> {
  const folder = tempDir(t)
  mkdirSync(join(folder, 'data'))
  writeFileSync(join(folder, 'prometheus.yml'), `scrape_configs:\n  - job_name: gateway\n    scrape_interval: 500ms\n    scrape_timeout: 500ms\n    static_configs:\n      - targets: ['127.0.0.1:${target}']\n`)
  const port = await freePort()
  const child = spawn('prometheus', [`--config.file=${folder}/prometheus.yml`, `--storage.tsdb.path=${folder}/data`, `--web.listen-address=127.0.0.1:${port}`], { stdio: 'ignore' })
  const ended = once(child, 'close')
  t.teardown(async () => { child.kill('SIGKILL'); await ended })
  return `http://127.0.0.1:${port}`
}

/** The number of series that a query finds; 0 while Prometheus does not answer. @throws Error for a query that it refuses */
async function found (prometheus: string, query: string): Promise<number> {
  const answer = await fetch(`${prometheus}/api/v1/query?${new URLSearchParams({ query })}`).then(async response => await response.json() as any, () => undefined)
  if (answer?.status === 'error') throw new Error(`${query}: ${answer.error}`)
  return answer?.data?.result?.length ?? 0
}

t.test('every panel', { skip: missing }, async t => {
  const { port, load } = await startCounted(t)
  await load()
  const prometheus = await startPrometheus(t, port)
  const { panels } = JSON.parse(readFileSync('deploy/grafana/gateway.json', 'utf8')) as { panels: Panel[] }
  const queries = panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, query: expr.replaceAll('$__rate_interval', '10s').replace(/\$(instance|model)/g, '.*') })))
  t.ok(queries.length > 30)
  let empty = queries
  // A rate needs two scrapes, and events before and between them.
  for (let round = 0; round < 40 && empty.length > 0; round++) {
    await load()
    // For the panel of garbage collections.
    Array.from({ length: 300_000 }, (_, i) => ({ i }))
    await new Promise(resolve => setTimeout(resolve, 250))
    const counts = await Promise.all(empty.map(async ({ query }) => await found(prometheus, query)))
    empty = empty.filter((_, index) => counts[index] === 0)
  }
  t.same(empty, [])
})
