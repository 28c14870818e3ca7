// The studio's chat as a person sees it: models to choose from before the
// gateway has answered, an answer that streams in with its figures, and Stop,
// which ends the work at the inference service too.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { test } from 'tap'
import { noBrowser, openPage } from '../browser.ts'
import { PNG_SIGNATURE, startPair } from '../clients.ts'
import { promptly, startGateway } from '../faults/helper.ts'
import { eventually } from '../helper.ts'
import { focused, isAccessible, unexpected } from './helper.ts'

const SEER = { id: 'org/seer', name: 'Seer', description: 'Reads pictures', contextLength: 131072, capabilities: { input: ['text', 'image'] } }
const FLASH = { id: 'gemini-1.5-flash', name: 'Gemini 1.5 Flash', description: 'Fast and efficient for most tasks', contextLength: 1048576 }
const MANY = Array.from({ length: 150 }, (_, i) => ({ id: `bulk-${i}`, name: `Bulk ${i}`, description: 'One of many', contextLength: 8192 }))

function catalogFile (chat: object[]): string {
  const file = join(mkdtempSync(join(tmpdir(), 'studio-')), 'catalog.json')
  writeFileSync(file, JSON.stringify({ chat }))
  return file
}

/** An inference service that streams one text, a few characters a piece, and names no model. */
async function startWriter (t: { teardown (end: () => unknown): unknown }, text: string): Promise<string> {
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const chunk = (delta: object, finish: string | null = null) => response.write(`data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', created: 1, choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`)
    chunk({ reasoning_content: 'I think of a table.' })
    for (let at = 0; at < text.length; at += 7) chunk({ content: text.slice(at, at + 7) })
    chunk({}, 'stop')
    response.end('data: [DONE]\n\n')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close(); server.closeAllConnections() })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const HOSTILE = `# Sorting

Two **bold** algorithms, one \`quick\`, with *care* and snake_case_names:

| name | cost |
|---|---|
| merge | n log n |

1. first
2. second
   - nested

\`\`\`js
const x = '<b>1</b>'
\`\`\`

> a quote

<img src=x onerror="document.title='broken'"> [bad](javascript:document.title='broken') [good](https://example.org/a_(b)) ![pixel](https://tracker.example/p.png)`

const log = (page: Page) => page.getByRole('log')
const answers = (page: Page) => page.getByRole('article', { name: 'Answer' })
const bodyOf = (request: { body: Buffer } | undefined) => JSON.parse(request?.body.toString() ?? '{}')

test('in a browser: chat', { skip: noBrowser }, async t => {
  const { gateway, standIn } = await startPair(t, { CATALOG_FILE: catalogFile([SEER, FLASH]) }, { firstTokenDelay: 100 })
  const crowded = await startGateway(t, { CATALOG_FILE: catalogFile([SEER, FLASH, ...MANY]) })
  const slow = await startPair(t, {}, { tokensPerSecond: 20, tokens: 1000 })
  const writer = await startGateway(t, { CATALOG_FILE: catalogFile([SEER]), INFERENCE_SERVICE_URL: await startWriter(t, HOSTILE), ALLOWED_HOSTS: 'gateway.example' })
  const hosts = [gateway.url, crowded.url, slow.gateway.url, writer.url].map(url => new URL(url).host)
  const { page, complaints } = await openPage(t, hosts)
  page.setDefaultTimeout(30_000)
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
  const message = page.getByRole('textbox', { name: 'Message', exact: true })
  const send = async (text: string) => {
    await message.fill(text)
    await message.press('Enter')
  }

  await t.test('the page is there before the gateway has told its models', async t => {
    const held: Array<() => Promise<void>> = []
    await page.route('**/v1/models**', route => { held.push(() => route.continue()) })
    await page.goto(`${gateway.url}/`)
    await page.getByRole('radio', { name: /Gemini 1\.5 Pro/ }).waitFor()
    t.equal(new URL(page.url()).pathname, '/studio', 'a browser that opens / arrives here')
    t.equal(await page.getByRole('radio', { name: /Seer/ }).count(), 0)
    await eventually(() => held.length > 0)
    await Promise.all(held.map(go => go()))
    await page.unroute('**/v1/models**')
    await page.getByRole('radio', { name: /Seer/ }).waitFor()
    await isAccessible(t, page, 'an empty chat')
  })

  await t.test('models are shown by name, description and context length, and found by typing', async t => {
    await page.goto(`${crowded.url}/studio`)
    await page.getByText(/152 models/).waitFor()
    t.match(await page.locator('label', { hasText: 'Seer' }).innerText(), /Seer\s+128K context\s+Reads pictures/)
    t.match(await page.getByText(/152 models/).innerText(), 'the first 100 are shown')
    const filter = page.getByRole('searchbox', { name: 'Filter models' })
    await filter.fill('flash FAST')
    t.equal(await page.getByRole('radio').filter({ visible: true }).count() - 3, 1, 'one model beside the three views')
    await page.getByText('1 of 152 models').waitFor()
    await filter.fill('bulk 149')
    await page.getByRole('radio', { name: /Bulk 149/ }).check()
    await filter.fill('')
    t.ok(await page.getByRole('radio', { name: /Bulk 149/ }).isChecked(), 'the chosen one is shown, though 100 are before it')
    await page.getByRole('radio', { name: /Bulk 96/ }).waitFor()
    t.equal(await page.getByRole('radio', { name: /Bulk 97/ }).count(), 0)
    await page.goto(`${gateway.url}/studio`)
  })

  await t.test('the default model: none is named, the answer shows which one it was', async t => {
    await send('Hello there')
    const answer = answers(page).last()
    await answer.getByRole('button', { name: 'Retry' }).waitFor()
    t.match(await answer.innerText(), /You said: Hello there/)
    const facts = await answer.innerText()
    t.match(facts, /Default model\s+gemini-1\.5-flash/)
    t.match(facts, /First token\s+\d+(\.\d+)? m?s/)
    t.match(facts, /Speed\s+[\d.]+ tokens\/s/)
    t.match(facts, /Tokens\s+\d+ in, \d+ out/)
    // Past the gateway the body has the default model that the gateway added.
    t.equal(bodyOf(standIn.requests.at(-1)).model, 'gemini-1.5-flash')
    t.equal(standIn.requests.at(-1)!.headers.authorization, undefined, 'no made-up key')
    await answer.getByRole('button', { name: 'Code' }).click()
    t.notMatch(await page.getByRole('dialog').getByLabel('Code for curl').innerText(), '"model"', 'none was sent')
    await isAccessible(t, page, 'a request as code')
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    t.equal(await page.evaluate('document.activeElement.textContent'), 'Code', 'the focus is back where it was')
    await isAccessible(t, page, 'an answer')
  })

  await t.test('the settings are sent', async t => {
    await page.getByRole('radio', { name: /Seer/ }).check()
    await page.getByRole('textbox', { name: 'System prompt' }).fill('Be brief.')
    await page.getByRole('slider', { name: 'Temperature' }).press('ArrowLeft')
    await page.getByRole('spinbutton', { name: 'Max tokens' }).fill('50')
    await send('Again')
    await answers(page).nth(1).getByRole('button', { name: 'Retry' }).waitFor()
    t.match(bodyOf(standIn.requests.at(-1)), { model: 'org/seer', temperature: 0.9, max_tokens: 50, stream: true })
    t.same(bodyOf(standIn.requests.at(-1)).messages.map((message: any) => message.role), ['system', 'user', 'assistant', 'user'])
    await page.getByRole('button', { name: 'Reset Temperature to the model’s default' }).click()
    t.equal(await focused(page), 'Temperature')
    await page.getByRole('spinbutton', { name: 'Max tokens' }).fill('')
  })

  await t.test('a picture goes along where the model takes one', async t => {
    const png = Buffer.from(PNG_SIGNATURE + '0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082', 'hex')
    await page.getByLabel('Attach a picture').and(page.locator('input')).setInputFiles({ name: 'dot.png', mimeType: 'image/png', buffer: png })
    await page.getByRole('img', { name: 'Picture 1', exact: true }).waitFor()
    await isAccessible(t, page, 'an attached picture')
    await send('What is this?')
    await answers(page).nth(2).getByRole('button', { name: 'Retry' }).waitFor()
    t.same(bodyOf(standIn.requests.at(-1)).messages.at(-1).content, [{ type: 'text', text: 'What is this?' }, { type: 'image_url', image_url: { url: `data:image/png;base64,${png.toString('base64')}` } }])
    await page.getByRole('radio', { name: /Gemini 1.5 Flash/ }).check()
    await page.getByRole('button', { name: 'Attach a picture' }).waitFor({ state: 'detached' })
  })

  await t.test('retry, edit and copy', async t => {
    const before = standIn.requests.length
    await answers(page).last().getByRole('button', { name: 'Retry' }).click()
    await eventually(() => standIn.requests.length === before + 1 && standIn.requests.at(-1)!.answered)
    await answers(page).nth(2).getByRole('button', { name: 'Retry' }).waitFor()
    t.equal(await answers(page).count(), 3, 'in its place')
    t.equal(await focused(page), 'Message', 'the focus, after Retry')

    await page.getByRole('article', { name: 'You' }).first().hover()
    await page.getByRole('button', { name: 'Edit your message' }).first().click()
    await page.keyboard.press('Escape')
    t.equal(await focused(page), 'Edit your message', 'the focus is back on the button')
    await page.keyboard.press('Enter')
    await page.getByRole('textbox', { name: 'Edit your message' }).fill('Something else')
    await page.getByRole('button', { name: 'Send again' }).click()
    await page.getByText('You said: Something else').waitFor()
    t.equal(await answers(page).count(), 1, 'what came after it is gone')
    t.equal(await focused(page), 'Message', 'the focus, after Send again')
    const copy = answers(page).getByRole('button', { name: 'Copy', exact: true })
    await copy.click()
    await answers(page).getByRole('button', { name: 'Copied' }).waitFor()
    t.match(await page.evaluate('navigator.clipboard.readText()'), /You said: Something else$/)
    await page.getByRole('button', { name: 'New chat' }).click()
    await page.getByRole('heading', { name: 'What shall we try?' }).waitFor()
    t.equal(await focused(page), 'Message', 'the focus, after New chat')
    await page.getByRole('button', { name: 'Write a haiku about latency' }).click()
    await page.getByText('You said: Write a haiku').waitFor()
    t.equal(await focused(page), 'Message', 'the focus, after an idea')
  })

  await t.test('Markdown is shown, and nothing of it is run or fetched', async t => {
    await page.goto(`${writer.url}/studio`)
    await send('Compare')
    const answer = answers(page).last()
    await answer.getByRole('button', { name: 'Retry' }).waitFor()
    t.match(await answer.innerText(), /Default model\s+gemini-1\.5-flash/, 'the answer names none, so it is the gateway’s default')
    await answer.getByRole('heading', { name: 'Sorting' }).waitFor()
    t.equal(await answer.getByRole('cell', { name: 'n log n' }).count(), 1)
    t.equal(await answer.locator('ol > li').count(), 2)
    t.equal(await answer.locator('ol ul > li').innerText(), 'nested')
    t.equal(await answer.locator('strong').innerText(), 'bold')
    t.match(await answer.innerText(), 'snake_case_names')
    t.equal(await answer.getByLabel('Code in js').innerText(), "const x = '<b>1</b>'")
    t.match(await answer.innerText(), '<img src=x onerror=')
    t.equal(await answer.getByRole('img').count(), 0)
    t.same(await answer.getByRole('link').evaluateAll(links => links.map(link => (link as unknown as { href: string }).href)), ['https://example.org/a_(b)', 'https://tracker.example/p.png'])
    t.equal(await page.title(), 'Studio · Model gateway')
    await answer.getByText('Thinking').click()
    await answer.getByText('I think of a table.').waitFor()
    await isAccessible(t, page, 'Markdown')
  })

  await t.test('Stop ends the work at the inference service', async t => {
    await page.goto(`${slow.gateway.url}/studio`)
    await message.fill('Count')
    await page.getByRole('button', { name: 'Send', exact: true }).dblclick()
    await page.getByText('You asked the').waitFor()
    const [request] = slow.standIn.requests.filter(({ url }) => url.includes('chat'))
    t.notOk(request!.aborted, 'the second click of a double-click on Send does not stop')
    t.equal(await focused(page), 'Message', 'the focus, after Send')
    await message.fill('A draft')
    await page.getByRole('button', { name: 'Stop' }).dblclick()
    await promptly(() => request!.aborted)
    await answers(page).getByText('Stopped', { exact: true }).waitFor()
    t.equal(await message.inputValue(), 'A draft', 'the second click of a double-click on Stop does not send')
    t.equal(await focused(page), 'Message', 'the focus, after Stop')
    t.match(await log(page).innerText(), /You asked the/, 'what had arrived stays')
    await isAccessible(t, page, 'a stopped answer')

    // Before the first token too, and by leaving the page.
    await send('Once more')
    await page.getByRole('button', { name: 'Stop' }).waitFor()
    await eventually(() => slow.standIn.requests.length === 2)
    await page.goto('about:blank')
    await promptly(() => slow.standIn.requests[1]!.aborted)
  })

  await t.test('below a path prefix that a proxy takes off', async t => {
    const proxy = createServer((request, response) => {
      if (!request.url!.startsWith('/ai/')) return response.writeHead(404).end()
      const { port } = new URL(gateway.url)
      const forwarded = httpRequest({ host: '127.0.0.1', port, method: request.method, path: request.url!.slice(3), headers: request.headers }, answer => answer.pipe(response.writeHead(answer.statusCode!, answer.headers)))
      request.pipe(forwarded)
    }).listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    t.teardown(() => { proxy.close(); proxy.closeAllConnections() })
    const { port } = proxy.address() as AddressInfo
    hosts.push(`127.0.0.1:${port}`)
    await page.goto(`http://127.0.0.1:${port}/ai/`)
    t.equal(page.url(), `http://127.0.0.1:${port}/ai/studio`)
    await page.getByRole('radio', { name: /Seer/ }).waitFor()
    await send('Through a proxy')
    await page.getByText('You said: Through a proxy').waitFor()
    await page.goto('about:blank')
  })

  await t.test('by keyboard, on a phone', async t => {
    await page.setViewportSize({ width: 390, height: 800 })
    await page.goto(`${gateway.url}/studio`)
    await page.getByRole('button', { name: 'Settings' }).focus()
    await page.keyboard.press('Enter')
    const dialog = page.getByRole('dialog', { name: 'Run settings' })
    // The gateway's list has come in place of the one that the page begins with.
    await dialog.getByRole('radio', { name: /Seer/ }).waitFor()
    await dialog.getByRole('radio', { name: /Default model/ }).focus()
    await page.keyboard.press('ArrowDown')
    t.ok(await dialog.getByRole('radio', { name: /Seer/ }).isChecked())
    await isAccessible(t, page, 'settings on a phone')
    await page.keyboard.press('Escape')
    await page.getByText('Attach a picture').waitFor()
    await message.focus()
    await page.keyboard.type('From a phone')
    await page.keyboard.press('Tab')
    t.match(await page.evaluate('document.activeElement.textContent'), /Attach a picture/)
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.getByText('You said: From a phone').waitFor()
    t.equal(await page.evaluate('document.documentElement.scrollWidth'), 390, 'nothing is wider than the screen')
  })

  await t.test('copying on plain http from another machine, where a page has no clipboard', async t => {
    await page.goto('about:blank')
    t.strictSame(complaints, [], 'nothing to complain of in all this')
    await page.setViewportSize({ width: 1280, height: 800 })
    hosts.push(`gateway.example:${writer.port}`)
    await page.goto(`http://gateway.example:${writer.port}/studio`)
    t.equal(await page.evaluate('isSecureContext'), false)
    await send('Compare')
    const answer = answers(page).last()
    await answer.getByRole('button', { name: 'Copy', exact: true }).click()
    await answer.getByRole('button', { name: 'Copied' }).waitFor()
    await message.press('Control+V')
    t.match(await message.inputValue(), /^# Sorting/)
    await answer.getByRole('button', { name: 'Code', exact: true }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('button', { name: 'Copy code' }).click()
    await dialog.getByRole('button', { name: 'Copied' }).waitFor()
    t.equal(await focused(page), 'Copied', 'the focus stays')
    await dialog.getByRole('button', { name: 'Close' }).click()
    await message.fill('')
    await message.press('Control+V')
    t.match(await message.inputValue(), /^curl -N/)
    await page.evaluate('document.execCommand = () => false')
    await answer.getByRole('button', { name: 'Copy', exact: true }).click()
    await answer.getByText('The browser does not let this page copy (it is not on https). Select the text and copy it.').waitFor()
    await page.goto('about:blank')
  })

  t.strictSame(unexpected(complaints), [])
})
