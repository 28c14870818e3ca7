// The dashboard and the alerts ask for metrics and labels that a running gateway has, and each
// alert fires on what it is for and says what to do.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { readPanels } from './dashboard.ts'
import { NO_PROMTOOL, promtool, samplesOf, startCounted } from './helper.ts'

const ALERTS = 'deploy/prometheus/alerts.yaml'
const alerts = readFileSync(ALERTS, 'utf8')

/** The names of metrics in PromQL; label names begin alike, and stand in braces or in `by (…)`. */
function metricsIn (promql: string): string[] {
  const bare = promql.replace(/\\?"[^"]*"/g, '').replace(/\{[^{}]*\}|\b(by|without|on|label_values) \([^)]*\)/g, '')
  return bare.match(/\b(gen_ai|gateway|nodejs|process)_\w+/g) ?? []
}

function labelsIn (promql: string): string[] {
  const matchers = [...promql.matchAll(/(\w+)(?:=~|!~|!=|=)\\?"/g)].map(match => match[1]!)
  const grouped = [...promql.matchAll(/\bby \(([^)]*)\)/g)].flatMap(match => match[1]!.split(/,\s*/))
  return [...matchers, ...grouped]
}

/** A scrape, once Node has collected garbage: before that, there is no time of it. */
async function scrapeAfterCollection (url: string): Promise<string> {
  const deadline = Date.now() + 10_000
  while (Date.now() < deadline) {
    const scrape = await (await fetch(`${url}/metrics`)).text()
    if (scrape.includes('nodejs_gc_duration_seconds_sum')) return scrape
    Array.from({ length: 200_000 }, (_, i) => ({ i }))
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  throw new Error('no collection within 10 s')
}

t.test('every metric and label is in a live scrape', async t => {
  const { url, load } = await startCounted(t)
  await load()
  const scrape = await scrapeAfterCollection(url)
  const samples = [...samplesOf(scrape).keys()]
  const names = new Set(samples.map(sample => sample.split('{', 1)[0]))
  // Prometheus adds the instance.
  const labels = new Set(['instance', ...samples.flatMap(sample => [...sample.matchAll(/[{,](\w+)="/g)].map(match => match[1]!))])

  const panels = await readPanels()
  const rules = [...alerts.matchAll(/expr: (?:>-\n((?: {10}.*\n)+)|(.*)\n)/g)].map(match => match[1] ?? match[2]!)
  t.ok(panels.length > 20 && rules.length >= 6)
  const asked = [...panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)), ...rules]
  for (const promql of asked) {
    t.ok(metricsIn(promql).length > 0, promql)
    for (const name of metricsIn(promql)) t.ok(names.has(name), name)
    for (const label of labelsIn(promql)) t.ok(labels.has(label), `${label} in ${promql}`)
  }
  for (const { title, description } of panels) t.ok(description, `${title} is explained`)
  if (NO_PROMTOOL === false) t.match(promtool(['check', 'metrics'], scrape), { status: 0, output: '' })
})

t.test('every alert says what to do', async t => {
  const each = alerts.split('- alert: ').slice(1)
  for (const alert of each) {
    t.match(alert, /summary: \S/, alert.split('\n', 1)[0]!)
    t.match(alert, /description: >-\n\s+\S/)
    t.match(alert, /severity: (warning|critical)/)
  }
})

t.test('promtool takes the rules, and each fires on what it is for', { skip: NO_PROMTOOL }, async t => {
  t.match(promtool(['check', 'rules', ALERTS]), { status: 0, output: 'SUCCESS' })
  t.match(promtool(['test', 'rules', 'test/telemetry/alerts.promtool.yaml']), { status: 0, output: 'SUCCESS' })
})
