/**
 * `npm run dashboard-picture`: a picture of the dashboard's panels for the docs. A real
 * Prometheus scrapes a gateway under mixed traffic, and Chromium draws what it answers to
 * the queries of deploy/grafana/gateway.json, with the chart library that Grafana's own
 * panels are built on. Needs `prometheus` and Chromium; takes about three minutes.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openPage } from '../test/browser.ts'
import { startFakeInference } from '../test/fake-inference.ts'
import { spawnGateway } from '../test/spawn.ts'
import { askPrometheus, promqlOf, readPanels, startPrometheus, type FoundSeries, type Panel } from '../test/telemetry/dashboard.ts'
import { driveTraffic, MODELS, SLOTS } from './dashboard/traffic.ts'

const PICTURE = join(import.meta.dirname, '../docs/images/dashboard.webp')
/** Largest size of the picture, bytes. */
const LARGEST = 200_000
const WIDTH = 1280
/** Seconds between two points of a curve. */
const STEP = 1
/** Seconds after the start for which a rate over 10 s is not yet whole. */
const LEAD = 12

const { values: { seconds } } = parseArgs({ options: { seconds: { type: 'string', default: '170' } } })

/** What dashboard/draw.js draws: a panel, the times of its points, and a curve for each series. */
interface Drawing {
  readonly panel: Panel
  readonly times: readonly number[]
  readonly curves: readonly { readonly name: string, readonly values: readonly (number | null)[] }[]
}

const ends: Array<() => unknown> = []
const session = { teardown: (end: () => unknown) => ends.unshift(end) }

/** Runs the panel's queries over that time. */
async function askFor (panel: Panel, prometheus: string, start: number, end: number): Promise<Drawing> {
  const times = Array.from({ length: Math.floor((end - start) / STEP) + 1 }, (_, i) => start + i * STEP)
  const curves = await Promise.all(panel.targets.map(async ({ expr, legendFormat }) => {
    const found = await askPrometheus(prometheus, 'query_range', { query: promqlOf(expr), start: String(start), end: String(end), step: String(STEP) })
    return found.map(series => ({ name: legendOf(legendFormat, series), values: valuesAt(times, series) }))
  }))
  return { panel, times, curves: curves.flat() }
}

/** `{{label}}` in a legend is the series' own value. */
function legendOf (format: string, { metric }: FoundSeries): string {
  return format.replace(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? '')
}

/** Null where the series has no value, or none that is a number. */
function valuesAt (times: readonly number[], { values = [] }: FoundSeries): (number | null)[] {
  const known = new Map(values.map(([time, value]) => [Math.round(time), Number(value)]))
  return times.map(time => {
    const value = known.get(Math.round(time))
    return value === undefined || Number.isNaN(value) ? null : value
  })
}

async function collect (): Promise<Drawing[]> {
  const models = Object.fromEntries(Object.entries(MODELS).map(([id, { context }]) => [id, context]))
  const service = await startFakeInference({ models, keepBody: 1_000_000 })
  session.teardown(() => service.close())
  const gateway = await spawnGateway(session, { INFERENCE_SERVICE_URL: service.url, CATALOG_SOURCE: 'inference', MODEL_CACHE_TIMEOUT: '20', MAX_CONCURRENT_REQUESTS: String(SLOTS) })
  const prometheus = await startPrometheus(session, gateway.port)
  const start = Math.ceil(Date.now() / 1000) + LEAD
  await driveTraffic(`http://127.0.0.1:${gateway.port}`, Number(seconds))
  const end = Math.floor(Date.now() / 1000)
  return await Promise.all((await readPanels()).map(async panel => await askFor(panel, prometheus, start, end)))
}

async function draw (drawings: readonly Drawing[]): Promise<Buffer> {
  const uplot = createRequire(import.meta.url).resolve('uplot/dist/uPlot.iife.min.js')
  const { page, complaints } = await openPage(session, [])
  await page.setViewportSize({ width: WIDTH, height: 800 })
  await page.setContent('<!doctype html><html lang="en"><main></main>')
  await page.addStyleTag({ path: uplot.replace('uPlot.iife.min.js', 'uPlot.min.css') })
  await page.addStyleTag({ path: join(import.meta.dirname, 'dashboard/draw.css') })
  await page.addScriptTag({ path: uplot })
  await page.addScriptTag({ content: await readFile(join(import.meta.dirname, 'dashboard/draw.js'), 'utf8') })
  await page.evaluate(`drawDashboard(${JSON.stringify(drawings)})`)
  if (complaints.length > 0) throw new Error(complaints.join('\n'))
  const height = Number(await page.evaluate('document.documentElement.scrollHeight'))
  // Playwright itself has no WebP, which is half the size here.
  const { data } = await (await page.context().newCDPSession(page)).send('Page.captureScreenshot', {
    format: 'webp', quality: 45, captureBeyondViewport: true, clip: { x: 0, y: 0, width: WIDTH, height, scale: 1 }
  })
  return Buffer.from(data, 'base64')
}

try {
  const picture = await draw(await collect())
  await writeFile(PICTURE, picture)
  console.log(`${picture.length} bytes  ${PICTURE}`)
  if (picture.length > LARGEST) throw new Error(`larger than ${LARGEST} bytes`)
} finally {
  for (const end of ends) await end()
}
