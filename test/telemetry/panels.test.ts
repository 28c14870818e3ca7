// Every panel of the dashboard shows something: a real Prometheus scrapes a running
// gateway, and runs each panel's queries.
import { spawnSync } from 'node:child_process'
import t from 'tap'
import { askPrometheus, promqlOf, readPanels, startPrometheus } from './dashboard.ts'
import { startCounted } from './helper.ts'

const missing = process.env.CI === undefined && spawnSync('prometheus', ['--version']).error !== undefined ? 'prometheus is not installed (Debian: prometheus)' : false

t.test('every panel', { skip: missing }, async t => {
  const { port, load } = await startCounted(t)
  await load()
  const prometheus = await startPrometheus(t, port)
  const queries = (await readPanels()).flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, query: promqlOf(expr) })))
  t.ok(queries.length > 30)
  let empty = queries
  // A rate needs two scrapes, and events before and between them.
  for (let round = 0; round < 40 && empty.length > 0; round++) {
    await load()
    // For the panel of garbage collections.
    Array.from({ length: 300_000 }, (_, i) => ({ i }))
    await new Promise(resolve => setTimeout(resolve, 250))
    const found = await Promise.all(empty.map(async ({ query }) => await askPrometheus(prometheus, 'query', { query })))
    empty = empty.filter((_, index) => found[index]!.length === 0)
  }
  t.same(empty, [])
})
