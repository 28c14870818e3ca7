// Each request of the studio as code, in each language: copied from the page,
// and run as it was pasted. Python's client is not installed here, so that its
// code is compiled only.
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { test } from 'tap'
import type { Locator } from 'playwright-core'
import { noBrowser, openPage } from '../browser.ts'
import { PNG_SIGNATURE, startPair } from '../clients.ts'
import { nodeCommand } from '../spawn.ts'
import { unexpected } from './helper.ts'

const run = promisify(execFile)
const PNG = Buffer.from(PNG_SIGNATURE + '0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082', 'hex')
const file = (name: string, mimeType: string, buffer: Buffer) => ({ name, mimeType, buffer })

test('in a browser: requests as code', { skip: noBrowser }, async t => {
  const { gateway, standIn } = await startPair(t, { DEFAULT_SPEECH_MODEL: 'tts-1' })
  const { page, complaints } = await openPage(t, [new URL(gateway.url).host])
  page.setDefaultTimeout(30_000)
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
  // Below node_modules, so that the snippets find the published client.
  const folder = mkdtempSync(join(import.meta.dirname, '../../node_modules/.snippets-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'dot.webp'), PNG)
  writeFileSync(join(folder, "it's a.wav"), 'RIFF, or nearly')
  const made = (name: string) => readFileSync(join(folder, name))

  /** Copies a request in each language and runs it; returns what each printed, and what reached the service. */
  async function runAll (card: Locator) {
    const sent = standIn.requests.at(-1)!.body.toString('latin1')
    const before = standIn.requests.length
    await card.getByRole('button', { name: 'Code' }).click()
    const dialog = page.getByRole('dialog')
    const running: Array<Promise<[language: string, printed: string]>> = []
    for (const language of ['curl', 'JavaScript', 'fetch', 'Python']) {
      await dialog.getByText(language, { exact: true }).click()
      await dialog.getByLabel(`Code for ${language}`).waitFor()
      await dialog.getByRole('button', { name: 'Copy code' }).click()
      await dialog.getByRole('button', { name: 'Copied' }).waitFor()
      const code: string = await page.evaluate('navigator.clipboard.readText()')
      running.push(runSnippet(language, code).then(printed => [language, printed]))
    }
    await dialog.getByRole('button', { name: 'Close' }).click()
    const printed = Object.fromEntries(await Promise.all(running))
    return { sent, printed, repeated: standIn.requests.slice(before).map(({ body }) => body.toString('latin1')) }
  }

  async function runSnippet (language: string, code: string): Promise<string> {
    if (language === 'curl') return (await run('bash', ['-c', code], { cwd: folder })).stdout
    const script = join(folder, language + (language === 'Python' ? '.py' : '.mjs'))
    writeFileSync(script, code)
    if (language !== 'Python') return (await run(...nodeCommand([script]), { cwd: folder })).stdout
    return existsSync('/usr/bin/python3') ? (await run('/usr/bin/python3', ['-m', 'py_compile', script])).stderr : ''
  }

  await page.goto(`${gateway.url}/studio`)

  await t.test('a chat, with all that shells and strings find hard', async t => {
    await page.getByRole('textbox', { name: 'System prompt' }).fill('Quote \'this\', "that", \\n and $HOME\nin `two` lines')
    await page.getByRole('textbox', { name: 'Message', exact: true }).fill("Is it 5 o'clock? 🕔")
    await page.keyboard.press('Enter')
    const answer = page.getByRole('article', { name: 'Answer' })
    await answer.getByRole('button', { name: 'Retry' }).waitFor()
    const { sent, printed, repeated } = await runAll(answer)
    t.equal(repeated.length, 3)
    // The OpenAI client needs a name for the model: an empty one, in whose place the gateway puts the default.
    for (const body of repeated) t.strictSame(JSON.parse(body), JSON.parse(sent))
    t.match(printed.curl, 'data: [DONE]')
    t.match(printed.JavaScript, /You said: Is it 5 o'clock\? 🕔$/)
    t.match(printed.fetch, 'data: [DONE]')
    t.equal(printed.Python, '')
  })

  await t.test('pictures', async t => {
    await page.getByText('Images', { exact: true }).click()
    await page.getByRole('spinbutton', { name: 'Number of pictures' }).fill('2')
    await page.getByRole('textbox', { name: 'Prompt', exact: true }).fill("A lighthouse's dawn")
    await page.getByRole('button', { name: 'Make pictures' }).click()
    const card = page.getByRole('article').first()
    await card.getByRole('button', { name: 'Retry' }).waitFor()
    const { sent, printed, repeated } = await runAll(card)
    for (const body of repeated) t.strictSame(JSON.parse(body), JSON.parse(sent))
    t.equal(JSON.parse(printed.curl!).data.length, 2)
    t.match(printed.fetch, /b64_json/)
    t.equal(made('image-2.png').toString('hex', 0, 8), PNG_SIGNATURE)
    t.equal(printed.Python, '')
  })

  await t.test('the edit of a picture', async t => {
    await page.getByLabel('Picture to edit').and(page.locator('input')).setInputFiles(file('dot.webp', 'image/webp', PNG))
    await page.getByRole('button', { name: 'Edit picture' }).click()
    const card = page.getByRole('article').first()
    await card.getByRole('button', { name: 'Retry' }).waitFor()
    const { repeated } = await runAll(card)
    t.equal(repeated.length, 3)
    for (const body of repeated) {
      t.ok(body.includes(PNG.toString('latin1')) && body.includes("A lighthouse's dawn"), 'the file as it is')
      t.match(body, /content-type: image\/webp/i, 'OpenAI refuses a picture without its type')
    }
  })

  await t.test('text to audio, audio to text', async t => {
    await page.getByText('Speech', { exact: true }).click()
    await page.getByRole('textbox', { name: 'Text to speak' }).fill("It's five o'clock")
    await page.getByRole('button', { name: 'Speak' }).click()
    const card = page.getByRole('article').first()
    await card.getByRole('button', { name: 'Retry' }).waitFor()
    await runAll(card)
    t.equal(made('speech.mp3').toString('latin1', 8, 12), 'WAVE', 'the stand-in speaks WAV only')

    await page.getByText('Speech to text', { exact: true }).click()
    await page.getByLabel('Audio file').setInputFiles(file("it's a.wav", 'audio/wav', made("it's a.wav")))
    await page.getByRole('button', { name: 'Transcribe' }).click()
    await page.getByText('the file has 15 bytes').waitFor()
    const { printed } = await runAll(card)
    for (const language of ['curl', 'JavaScript', 'fetch']) t.match(printed[language], 'the file has 15 bytes', language)
  })

  t.strictSame(unexpected(complaints), [])
})
