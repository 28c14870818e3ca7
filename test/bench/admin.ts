import { mkdtempSync } from 'node:fs'
import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import { noBrowser, openPage } from '../browser.ts'
import { signIn } from '../pages/admin.ts'
import { startGateway } from './candidates.ts'
import type { Options, Row, Sample, Table } from './measure.ts'
import { loopSeconds, peakKilobytes, resetPeak, residentKilobytes } from './processes.ts'

const MODELS = 5000
const EDITS = 20
/** Milliseconds between two questions for /healthz. */
const PROBE = 5
const KEY = 'bench-admin-key-0123456789'

/** What an admin of a large catalog waits for, and what others wait for meanwhile. */
export async function adminTable (options: Options): Promise<Table> {
  const rounds = options.extent === 'quick' ? 1 : 3
  const samples: Sample[] = []
  for (let round = 0; round < rounds; round++) samples.push(await adminFigures(options))
  const row: Row = { candidate: 'gateway', label: 'the gateway, SQLite', samples }
  return {
    name: 'admin',
    title: `${MODELS.toLocaleString('en')} models: an edit, and a search on the admin page`,
    about: `${EDITS} edits one after the other, by PATCH. Memory: the peak during the first ${EDITS} edits after the import, over before them; and resident after them, over before the models were imported. The CPU time of the gateway's event loop for each of ${EDITS} more; and the longest answer of \`/healthz\`, asked every ${PROBE} ms, while another ${EDITS} are made. A keystroke in the search field, until the new result is painted, in Chromium on the same two cores.`,
    columns: [
      { key: 'loop', label: 'event loop per edit, ms', digits: 1 },
      { key: 'health', label: 'latest /healthz, ms', digits: 1 },
      { key: 'growth', label: 'peak memory over before the edits, MB', digits: 0 },
      { key: 'models', label: 'memory over 7 models, MB', digits: 0 },
      { key: 'keyP50', label: 'keystroke p50, ms', digits: 0 },
      { key: 'keyP95', label: 'keystroke p95, ms', digits: 0 }
    ],
    rows: [row]
  }
}

async function adminFigures ({ scratch }: Options): Promise<Sample> {
  const folder = mkdtempSync(`${scratch}/admin-`)
  const running = await startGateway({
    scratch,
    upstreamPort: 9,
    settings: { CATALOG_SOURCE: 'database', DATABASE_URL: `sqlite:${folder}/catalog.db`, CATALOG_SNAPSHOT_FILE: `${folder}/snapshot.json`, ADMIN_API_KEY: KEY }
  })
  try {
    const url = `http://127.0.0.1:${running.port}`
    const [pid] = running.pids()
    await sleep(1000)
    const before = residentKilobytes([pid!])
    await importModels(url)
    await sleep(1000)

    const resident = residentKilobytes([pid!])
    resetPeak([pid!])
    for (let i = 0; i < EDITS; i++) await edit(url, i)
    // What an edit leaves to do: the snapshot, the rest of the rendering.
    await sleep(1000)
    const growth = (peakKilobytes([pid!]) - resident) / 1024
    const models = (residentKilobytes([pid!]) - before) / 1024

    // The first ones have compiled what these run.
    const startedAt = loopSeconds(pid!)
    for (let i = 0; i < EDITS; i++) await edit(url, i)
    await sleep(1000)
    const loop = (loopSeconds(pid!) - startedAt) * 1000 / EDITS

    const health = await latestHealth(url, async () => { for (let i = 0; i < EDITS; i++) await edit(url, i) })
    return { loop, health, growth, models, ...await keystrokes(url) }
  } finally {
    await running.stop()
  }
}

async function ask (url: string, method: string, body: unknown): Promise<void> {
  const response = await fetch(url, { method, headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: JSON.stringify(body) })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text.slice(0, 200)}`)
}

async function importModels (url: string): Promise<void> {
  const chat = Array.from({ length: MODELS }, (_, i) => ({
    id: `vendor-${i % 7}/some-model-${i}-instruct`,
    name: `Some Model ${i} Instruct`,
    description: 'A model for conversations, code and summaries, with a long context.',
    contextLength: 131072
  }))
  await ask(`${url}/admin/catalog/import`, 'POST', { chat })
}

let edits = 0
async function edit (url: string, number: number): Promise<void> {
  const model = number * 37
  await ask(`${url}/admin/models/vendor-${model % 7}/some-model-${model}-instruct`, 'PATCH', { description: `Edit ${++edits}` })
}

/** The longest that `/healthz` took while the action ran, milliseconds. */
async function latestHealth (url: string, action: () => Promise<void>): Promise<number> {
  const over = new AbortController()
  let latest = 0
  const probe = async () => {
    while (!over.signal.aborted) {
      latest = Math.max(latest, await answerTime(`${url}/healthz`))
      await sleep(PROBE)
    }
  }
  await Promise.all([probe(), action().finally(() => over.abort())])
  return latest
}

function answerTime (url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const askedAt = performance.now()
    request(url, { agent: false }, response => response.resume().once('end', () => resolve(performance.now() - askedAt))).once('error', reject).end()
  })
}

/** Each keystroke changes the rows. */
const QUERIES = ['417', '902', '135', '768', '281', '654', '390', '526', '843', '179']

/** Times from a keystroke in the search field to the painted result; not counted where there is no browser. */
async function keystrokes (url: string): Promise<Sample> {
  if (noBrowser !== false) return { keyP50: NaN, keyP95: NaN }
  const ends: (() => unknown)[] = []
  const { page } = await openPage({ teardown: end => ends.push(end) }, [new URL(url).host])
  try {
    await page.goto(`${url}/admin`)
    await signIn(page, KEY)
    await page.getByRole('table', { name: 'Models' }).waitFor()
    await sleep(1000)
    await page.evaluate(WATCH)
    const search = page.getByRole('searchbox', { name: 'Search models' })
    await search.focus()
    const times: number[] = []
    for (const query of ['111', ...QUERIES]) {
      for (const key of query) {
        const time = await keystroke(page, key)
        if (query !== '111') times.push(time)
      }
      await search.fill('')
      await sleep(300)
    }
    times.sort((a, b) => a - b)
    return { keyP50: times[times.length >> 1]!, keyP95: times[Math.ceil(times.length * 0.95) - 1]! }
  } finally {
    for (const end of ends) await end()
  }
}

/** In the page: adds to `times`, for each key press, the time until the first frame with other rows. */
const WATCH = `
  const rows = () => document.querySelector('tbody')?.textContent
  window.times = []
  let press
  addEventListener('keydown', event => { press = { at: event.timeStamp, rows: rows() } }, true)
  new MutationObserver(() => {
    if (press === undefined || rows() === press.rows) return
    const { at } = press
    press = undefined
    // A task after the frame's callbacks runs when the frame is painted.
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => times.push(performance.now() - at)
    requestAnimationFrame(() => port2.postMessage(0))
  }).observe(document.body, { subtree: true, childList: true, characterData: true })`

async function keystroke (page: Page, key: string): Promise<number> {
  const count = await page.evaluate<number>('times.length')
  await page.keyboard.press(key)
  for (let waits = 0; waits < 50; waits++) {
    await sleep(100)
    const times = await page.evaluate<number[]>('times')
    if (times.length > count) return times.at(-1)!
  }
  throw new Error(`the rows did not change at the key ${key}`)
}
