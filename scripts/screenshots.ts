/**
 * `npm run screenshots`: pictures of the studio and the admin page for the docs,
 * light and dark, wide and on a phone. Needs built pages and Chromium.
 */
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Page } from 'playwright-core'
import { openPage } from '../test/browser.ts'
import { startGateway } from '../test/helper.ts'

const FOLDER = join(import.meta.dirname, '../docs/images')
const SIZES = { wide: { width: 1280, height: 800 }, phone: { width: 390, height: 800 } }
/** Largest size of a picture, bytes. */
const LARGEST = 120 * 1024

const QUESTION = 'How do merge sort and quicksort differ?'
const ANSWER = `Both divide the list and conquer the parts, but they work at **different moments**:

| | Merge sort | Quicksort |
|---|---|---|
| Worst case | n log n | n² |
| Extra memory | a second list | almost none |
| Keeps equal items in order | yes | no |

Take merge sort where the order of equal items counts, and quicksort where memory is short:

\`\`\`js
const byName = people.toSorted((a, b) => a.name.localeCompare(b.name))
\`\`\``

const ends: Array<() => unknown> = []
const session = { teardown: (end: () => unknown) => ends.unshift(end) }

/** An inference service with one answer, at the speed of a fast model. */
async function startWriter (): Promise<string> {
  const server = createServer(async (request, response) => {
    request.resume()
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const send = (choices: object[], more: object = {}) => response.write(`data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', created: 1, model: 'gemini-1.5-flash', choices, ...more })}\n\n`)
    await sleep(180)
    const tokens = ANSWER.match(/\s*\S+\s*/g)!
    for (const content of tokens) {
      send([{ index: 0, delta: { content }, finish_reason: null }])
      await sleep(8)
    }
    send([{ index: 0, delta: {}, finish_reason: 'stop' }])
    send([], { usage: { prompt_tokens: 14, completion_tokens: tokens.length, total_tokens: 14 + tokens.length } })
    response.end('data: [DONE]\n\n')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  session.teardown(() => { server.close(); server.closeAllConnections() })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** What to do on each page before its picture is taken. */
const STEPS: Record<string, (page: Page) => Promise<unknown>> = {
  studio: async page => {
    await page.getByRole('textbox', { name: 'Message', exact: true }).fill(QUESTION)
    await page.keyboard.press('Enter')
    await page.getByRole('article', { name: 'Answer' }).getByRole('button', { name: 'Retry' }).waitFor()
  },
  admin: async page => {
    await page.getByLabel('Admin key').fill('admin-key')
    await page.keyboard.press('Enter')
    await page.getByRole('table').waitFor()
  }
}

async function screenshots (): Promise<void> {
  const data = await mkdtemp(join(tmpdir(), 'screenshots-'))
  session.teardown(() => rm(data, { recursive: true }))
  const { url } = await startGateway(session, {
    INFERENCE_SERVICE_URL: await startWriter(),
    CATALOG_SOURCE: 'database',
    DATABASE_URL: `sqlite:${join(data, 'catalog.db')}`,
    CATALOG_SNAPSHOT_FILE: join(data, 'snapshot.json'),
    ADMIN_API_KEY: 'admin-key'
  })
  const { page } = await openPage(session, [new URL(url).host])
  await mkdir(FOLDER, { recursive: true })
  for (const [name, steps] of Object.entries(STEPS)) {
    await page.setViewportSize(SIZES.wide)
    await page.goto(`${url}/${name}`)
    await steps(page)
    for (const [size, viewport] of Object.entries(SIZES)) {
      await page.setViewportSize(viewport)
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
        await sleep(200)
        await page.screenshot({ path: join(FOLDER, `${name}-${size}-${colorScheme}.png`) })
      }
    }
  }
}

try {
  await screenshots()
} finally {
  for (const end of ends) await end()
}
for (const name of (await readdir(FOLDER)).filter(name => name.endsWith('.png'))) {
  const { size } = await stat(join(FOLDER, name))
  console.log(`${String(Math.ceil(size / 1024)).padStart(4)} KiB  ${name}`)
  if (size > LARGEST) {
    console.error(`${name} is larger than ${LARGEST / 1024} KiB`)
    process.exitCode = 1
  }
}
