// The studio's images and speech as a person sees them; and each request as
// code, run as it was copied.
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { test } from 'tap'
import type { Locator } from 'playwright-core'
import { noBrowser, openPage } from '../browser.ts'
import { PNG_SIGNATURE, startPair } from '../clients.ts'
import { promptly } from '../faults/helper.ts'
import { eventually } from '../helper.ts'
import { isAccessible, unexpected } from './helper.ts'

const run = promisify(execFile)
const PNG = Buffer.from(PNG_SIGNATURE + '0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082', 'hex')
const file = (name: string, mimeType: string, buffer: Buffer) => ({ name, mimeType, buffer })

test('in a browser: images, speech, and all of it as code', { skip: noBrowser }, async t => {
  const { gateway, standIn } = await startPair(t, { DEFAULT_SPEECH_MODEL: 'tts-1' })
  const slow = await startPair(t, {}, { firstTokenDelay: 60_000 })
  const { page, complaints } = await openPage(t, [gateway.url, slow.gateway.url].map(url => new URL(url).host))
  page.setDefaultTimeout(10_000)
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
  // Below node_modules' folder, so that the snippets find the published client.
  const folder = mkdtempSync(join(import.meta.dirname, '../../node_modules/.snippets-'))
  t.teardown(async () => { await run('rm', ['-r', folder]) })
  writeFileSync(join(folder, 'dot.png'), PNG)
  writeFileSync(join(folder, "it's a.wav"), 'RIFF, or nearly')

  const lastBody = () => standIn.requests.at(-1)!.body.toString('latin1')
  const cards = page.getByRole('article')

  /** Copies a request in each language, runs it, and returns what each printed. */
  async function runAll (card: Locator): Promise<Record<string, string>> {
    await card.getByRole('button', { name: 'Code' }).click()
    const dialog = page.getByRole('dialog')
    const printed: Record<string, string> = {}
    for (const language of ['curl', 'JavaScript', 'fetch', 'Python']) {
      await dialog.getByText(language, { exact: true }).click()
      await dialog.getByLabel(`Code for ${language}`).waitFor()
      await dialog.getByRole('button', { name: /Cop(y code|ied)/ }).click()
      await dialog.getByRole('button', { name: 'Copied' }).waitFor()
      printed[language] = await runSnippet(language, await page.evaluate('navigator.clipboard.readText()'))
      await dialog.getByRole('button', { name: 'Copy code' }).waitFor()
    }
    await dialog.getByRole('button', { name: 'Close' }).click()
    return printed
  }

  async function runSnippet (language: string, code: string): Promise<string> {
    if (language === 'curl') return (await run('bash', ['-c', code], { cwd: folder })).stdout
    const script = join(folder, language === 'Python' ? 'snippet.py' : 'snippet.mjs')
    writeFileSync(script, code)
    if (language !== 'Python') return (await run(process.execPath, ['--disable-warning=ExperimentalWarning', script], { cwd: folder })).stdout
    // Python's client is not installed here: its code is compiled only.
    return existsSync('/usr/bin/python3') ? (await run('/usr/bin/python3', ['-m', 'py_compile', script])).stderr : ''
  }

  await t.test('pictures: model, size and count, shown and downloaded', async t => {
    await page.goto(`${gateway.url}/studio#images`)
    await page.getByRole('radio', { name: /Stable Diffusion XL/ }).waitFor()
    t.match(await page.locator('label', { hasText: 'SDXL-Lightning' }).innerText(), /StabilityAI\s+Fast SDXL variant/)
    await isAccessible(t, page, 'no pictures')
    await page.getByRole('radio', { name: /Flux Schnell/ }).check()
    await page.getByRole('combobox', { name: 'Size' }).selectOption('512x512')
    await page.getByRole('spinbutton', { name: 'Number of pictures' }).fill('2')
    await page.getByRole('textbox', { name: 'Prompt', exact: true }).fill("A lighthouse's dawn")
    await page.getByRole('button', { name: 'Make pictures' }).click()
    await cards.getByRole('img').nth(1).waitFor()
    t.same(JSON.parse(lastBody()), { model: 'flux-schnell', prompt: "A lighthouse's dawn", size: '512x512', n: 2, response_format: 'b64_json' })
    t.ok(await cards.getByRole('img').first().evaluate(image => (image as unknown as { naturalWidth: number }).naturalWidth) > 100, 'it is drawn')
    t.match(await cards.first().innerText(), /Model\s+flux-schnell\s+Time/)
    const [download] = await Promise.all([page.waitForEvent('download'), cards.getByRole('link', { name: 'Download' }).first().click()])
    t.equal(download.suggestedFilename(), 'picture-1.png')
    t.equal(readFileSync(await download.path()).toString('hex', 0, 8), PNG_SIGNATURE)
    await isAccessible(t, page, 'pictures')
  })

  await t.test('edit of a picture, with the default model', async t => {
    await page.getByRole('radio', { name: /Default model/ }).first().check()
    await page.getByLabel('Picture to edit').and(page.locator('input')).setInputFiles(file('dot.png', 'image/png', PNG))
    await page.getByRole('button', { name: 'Edit picture' }).click()
    await eventually(() => standIn.requests.at(-1)!.url.endsWith('/images/edits') && standIn.requests.at(-1)!.answered)
    t.ok(lastBody().includes(PNG.toString('latin1')), 'the file as it is')
    await cards.first().getByText('Default model').waitFor()
    t.match(await cards.first().innerText(), /Default model\s+sdxl/)
    t.notMatch((await runAll(cards.first()))['curl'], 'error')
    t.ok(lastBody().includes(PNG.toString('latin1')))
    await cards.first().getByRole('button', { name: 'Edit', exact: true }).first().click()
    await page.getByRole('img', { name: 'picture-1.png' }).waitFor()
    await page.getByRole('button', { name: 'Remove picture-1.png' }).click()
  })

  await t.test('pictures as code', async t => {
    const printed = await runAll(cards.last())
    t.equal(JSON.parse(printed.curl!).data.length, 2)
    t.match(printed.fetch, /b64_json/)
    t.equal(readFileSync(join(folder, 'image-2.png')).toString('hex', 0, 8), PNG_SIGNATURE)
  })

  await t.test('text to audio', async t => {
    await page.getByText('Speech', { exact: true }).click()
    await isAccessible(t, page, 'no speech')
    await page.getByRole('textbox', { name: 'Text to speak' }).fill("It's five o'clock")
    await page.getByRole('button', { name: 'Speak' }).click()
    const player = page.getByLabel('The spoken text')
    await player.waitFor()
    await eventually(() => standIn.requests.at(-1)!.answered)
    t.match(JSON.parse(lastBody()), { model: 'tts-1', input: "It's five o'clock", voice: 'alloy', response_format: 'mp3' })
    t.equal(await player.evaluate(async audio => {
      const player = audio as unknown as { readyState: number, duration: number, addEventListener (name: string, listener: () => void): void }
      if (player.readyState === 0) await new Promise<void>(resolve => player.addEventListener('loadedmetadata', resolve))
      return player.duration
    }), 1, 'the browser can play it')
    t.match(await cards.first().innerText(), /Default model\s+tts-1/)
    await isAccessible(t, page, 'speech')
    await runAll(cards.first())
    t.equal(readFileSync(join(folder, 'speech.mp3')).toString('latin1', 8, 12), 'WAVE', 'the stand-in speaks WAV only')
  })

  await t.test('audio to text', async t => {
    await page.getByText('Speech to text', { exact: true }).click()
    await page.getByLabel('Audio file').setInputFiles(file("it's a.wav", 'audio/wav', Buffer.from('RIFF, or nearly')))
    await page.getByRole('button', { name: 'Write down' }).click()
    await cards.first().getByText('the file has 15 bytes').waitFor()
    await isAccessible(t, page, 'a transcript')
    const printed = await runAll(cards.first())
    for (const language of ['curl', 'JavaScript', 'fetch']) t.match(printed[language], 'the file has 15 bytes', language)
  })

  await t.test('a chat as code', async t => {
    await page.getByText('Chat', { exact: true }).click()
    await page.getByRole('textbox', { name: 'System prompt' }).fill('Quote \'this\', "that", \\n and $HOME\nin `two` lines')
    await page.getByRole('textbox', { name: 'Message', exact: true }).fill('Is it 5 o\'clock?')
    await page.keyboard.press('Enter')
    const answer = page.getByRole('article', { name: 'Answer' })
    await answer.getByRole('button', { name: 'Retry' }).waitFor()
    const sent = JSON.parse(lastBody())
    const before = standIn.requests.length
    const printed = await runAll(answer)
    t.equal(standIn.requests.length, before + 3)
    // The OpenAI client needs a name for the model: an empty one, in whose place the gateway puts the default.
    for (const request of standIn.requests.slice(before)) t.strictSame(JSON.parse(request.body.toString()), sent)
    t.match(printed.curl, 'data: [DONE]')
    t.match(printed.JavaScript, /You said: Is it 5 o'clock\?$/)
    t.match(printed.fetch, 'data: [DONE]')
  })

  await t.test('Stop ends the making of a picture', async t => {
    await page.goto(`${slow.gateway.url}/studio#images`)
    await page.getByRole('textbox', { name: 'Prompt', exact: true }).fill('Slowly')
    await page.getByRole('button', { name: 'Make pictures' }).click()
    await eventually(() => slow.standIn.requests.length === 1, 10_000)
    await page.getByRole('button', { name: 'Stop' }).click()
    await promptly(() => slow.standIn.requests[0]!.aborted)
    await cards.getByText('Stopped', { exact: true }).waitFor()
    t.equal(await cards.getByRole('button', { name: 'Retry' }).count(), 1)
  })

  t.strictSame(unexpected(complaints), [])
})
