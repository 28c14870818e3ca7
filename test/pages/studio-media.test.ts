// The studio's images and speech as a person sees them, and Stop, which ends the
// work at the inference service.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { test } from 'tap'
import { noBrowser, openPage } from '../browser.ts'
import { PNG_SIGNATURE, startPair } from '../clients.ts'
import { promptly } from '../faults/helper.ts'
import { eventually, startGateway } from '../helper.ts'
import { focused, isAccessible, unexpected } from './helper.ts'

const PNG = Buffer.from(PNG_SIGNATURE + '0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082', 'hex')
const file = (name: string, mimeType: string, buffer: Buffer) => ({ name, mimeType, buffer })

/** An image service that sends base64 only, and refuses the field that asks for it, as OpenAI's gpt-image models do. */
async function startPainter (t: { teardown (end: () => unknown): unknown }): Promise<string> {
  const server = createServer(async (request, response) => {
    const refused = (await text(request)).includes('response_format')
    response.writeHead(refused ? 400 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(refused ? { error: { message: "Unknown parameter: 'response_format'." } } : { created: 1, data: [{ b64_json: PNG.toString('base64') }] }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close(); server.closeAllConnections() })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('in a browser: images and speech', { skip: noBrowser }, async t => {
  const { gateway, standIn } = await startPair(t, { DEFAULT_SPEECH_MODEL: 'tts-1' })
  const slow = await startPair(t, {}, { firstTokenDelay: 60_000 })
  const painter = await startGateway(t, { INFERENCE_SERVICE_URL: await startPainter(t) })
  const { page, complaints } = await openPage(t, [gateway.url, slow.gateway.url, painter.url].map(url => new URL(url).host))
  page.setDefaultTimeout(30_000)
  const lastBody = () => standIn.requests.at(-1)!.body.toString('latin1')
  const cards = page.getByRole('article')

  await t.test('pictures: model, size and count, shown and downloaded', async t => {
    await page.goto(`${gateway.url}/studio#images`)
    await page.getByRole('radio', { name: /Stable Diffusion XL/ }).waitFor()
    t.match(await page.locator('label', { hasText: 'SDXL-Lightning' }).innerText(), /StabilityAI\s+Fast SDXL variant/)
    await isAccessible(t, page, 'no pictures')
    await page.getByRole('radio', { name: /Flux Schnell/ }).check()
    await page.getByRole('combobox', { name: 'Size' }).selectOption('512x512')
    const count = page.getByRole('spinbutton', { name: 'Number of pictures' })
    await count.fill('20')
    await page.getByText('A whole number from 1 to 10.').waitFor()
    t.equal(await count.inputValue(), '20', 'what was typed stays')
    t.equal(await count.getAttribute('aria-invalid'), 'true')
    await isAccessible(t, page, 'a number that is too large')
    await count.fill('2')
    t.equal(await page.getByText('A whole number from 1 to 10.').count(), 0)
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
    await cards.first().getByRole('button', { name: 'Edit', exact: true }).first().click()
    await page.getByRole('img', { name: 'picture-1.png' }).waitFor()
    await page.getByRole('button', { name: 'Remove picture-1.png' }).click()
    t.equal(await focused(page), 'Prompt')
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

    await page.setViewportSize({ width: 390, height: 800 })
    const { x, width } = (await page.getByRole('button', { name: 'Speak' }).boundingBox())!
    t.ok(x + width > 350, 'on a phone the button is at the same end as in the other views')
    await page.setViewportSize({ width: 1280, height: 720 })
  })

  await t.test('audio to text', async t => {
    await page.getByText('Speech to text', { exact: true }).click()
    await page.getByLabel('Audio file').setInputFiles(file("it's a.wav", 'audio/wav', Buffer.from('RIFF, or nearly')))
    await page.getByRole('button', { name: 'Transcribe' }).click()
    await cards.first().getByText('the file has 15 bytes').waitFor()
    t.ok(await cards.first().getByRole('button', { name: 'Copy text' }).isVisible())
  })

  await t.test('a service that refuses response_format: the code is what it took', async t => {
    await page.goto(`${painter.url}/studio#images`)
    await page.getByRole('textbox', { name: 'Prompt', exact: true }).fill('A dot')
    await page.getByRole('button', { name: 'Make pictures' }).click()
    await cards.getByRole('img').waitFor()
    await cards.getByRole('button', { name: 'Code' }).click()
    t.match(await page.getByLabel('Code for curl').innerText(), /-d '{"prompt":"A dot"}'/)
    await page.keyboard.press('Escape')
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
    t.equal(await focused(page), 'Prompt', 'the focus, after Stop')
    await cards.getByRole('button', { name: 'Remove' }).click()
    t.equal(await focused(page), 'Prompt', 'the focus, after Remove')
  })

  t.strictSame(unexpected(complaints), [])
})
