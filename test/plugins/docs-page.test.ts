// The docs page in a real browser: it shows every operation, sends requests
// that work as they stand, asks nothing of the internet, and breaks no rule of
// a content policy that allows nothing inline.
import { test } from 'tap'
import { noBrowser, openPage } from '../browser.ts'
import { startPair } from '../clients.ts'
import { eventually, startGateway } from '../helper.ts'
import { tryOut } from './docs-operation.ts'

test('the page is served under a strict content policy', async t => {
  const { url } = await startGateway(t, { API_KEYS: 'secret' })
  for (const path of ['/docs', '/docs/', '/docs/static/swagger-ui-bundle.js', '/docs/static/swagger-initializer.js']) {
    const response = await fetch(url + path)
    t.equal(response.status, 200, `${path}, without a key`)
    const policy = response.headers.get('content-security-policy')!
    t.match(policy, /default-src 'none';script-src 'self';style-src 'self';/)
    t.notMatch(policy, /unsafe|https?:|\*|upgrade-insecure/)
    await response.arrayBuffer()
  }
  t.notOk((await fetch(`${url}/healthz`)).headers.has('content-security-policy'), 'the policy is the page\'s own')
})

test('in a browser: every operation is shown, and can be tried', { skip: noBrowser }, async t => {
  const { gateway, standIn } = await startPair(t, { DEFAULT_SPEECH_MODEL: 'tts-1' })
  const { page, complaints } = await openPage(t, [new URL(gateway.url).host])
  await page.goto(`${gateway.url}/docs`)
  await page.waitForSelector('.opblock')
  const document: any = await (await fetch(`${gateway.url}/openapi.json`)).json()
  const operations = Object.values<object>(document.paths).flatMap(path => Object.keys(path))
  t.equal(await page.locator('.opblock').count(), operations.length)
  t.equal(await page.title(), 'Model gateway')

  t.match((await tryOut(page, 'listModels')).answer, /^Code[^]*200[^]*"id": "gemini-1\.5-flash"/)
  const filled = await tryOut(page, 'getModel', operation => operation.locator('input').first().fill('no/such'))
  t.match(filled.curl, '/v1/models/no%2Fsuch')
  t.match(filled.answer, /404[^]*model_not_found/)

  t.match((await tryOut(page, 'createChatCompletion')).answer, /200[^]*model gemini-1\.5-flash\. /)
  t.match((await tryOut(page, 'createImage')).answer, /200[^]*model sdxl\. /)
  t.match((await tryOut(page, 'createSpeech')).answer, /200\s[^]*Download file[^]*x-model: tts-1/)
  t.match((await tryOut(page, 'createTranscription', operation =>
    operation.locator('input[type=file]').setInputFiles({ name: 'a.wav', mimeType: 'audio/wav', buffer: Buffer.alloc(1234) })
  )).answer, /200[^]*model tts-1\. [^]*1234 bytes/)
  t.notMatch(standIn.requests.at(-1)!.body.toString('latin1'), 'name="language"', 'an optional field left empty is not sent')

  t.strictSame(complaints.filter(complaint => !complaint.includes('404 (Not Found)')), [])
})

test('on a phone, over plain http: in its own width, and the browser has nothing to complain of', { skip: noBrowser }, async t => {
  const { port } = await startGateway(t, { ALLOWED_HOSTS: 'gateway.example' })
  const { page, complaints } = await openPage(t, [`gateway.example:${port}`], { viewport: { width: 390, height: 664 }, isMobile: true })
  await page.goto(`http://gateway.example:${port}/docs`)
  await page.waitForSelector('.opblock')
  t.equal(await page.evaluate('isSecureContext'), false)
  t.equal(await page.evaluate('innerWidth'), 390)
  t.strictSame(complaints, [])
})

test('the watch over the page notices what it is there for', { skip: noBrowser }, async t => {
  const { url } = await startGateway(t, {})
  const { page, complaints } = await openPage(t, [new URL(url).host])
  await page.goto(`${url}/docs`)
  await page.evaluate('document.body.appendChild(document.createElement("script")).textContent = "1"')
  await eventually(() => complaints.includes('violation: script-src-elem inline'), 2000, () => complaints.join())
  await page.goto(`${url}/healthz`)
  await page.evaluate('fetch("http://localhost:9/").catch(() => {})')
  await eventually(() => complaints.includes('off-host request: http://localhost:9/'), 2000, () => complaints.join())
  t.pass('both were noticed')
})
