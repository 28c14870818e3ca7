// What the studio says when things fail, in words that a person can act on; and
// the field for an API key, which is there only where the gateway asks for one.
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { noBrowser, openPage } from '../browser.ts'
import { startPair } from '../clients.ts'
import { eventually, startGateway } from '../helper.ts'
import { freePort } from '../free-port.ts'
import { focused, isAccessible, unexpected } from './helper.ts'

/** An inference service that reports an error within its stream. */
async function startCrashing (t: { teardown (end: () => unknown): unknown }): Promise<string> {
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"It begins"},"finish_reason":null}]}\n\n')
    response.end('data: {"error":{"message":"CUDA out of memory","type":"server_error"}}\n\n')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close(); server.closeAllConnections() })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('in a browser: what is said when something fails', { skip: noBrowser }, async t => {
  const down = await startGateway(t, { INFERENCE_SERVICE_URL: `http://127.0.0.1:${await freePort()}` })
  const limited = await startPair(t, {}, { status: 429, retryAfter: '2' })
  const busy = await startPair(t, {}, { status: 503, retryAfter: '7' })
  const crashing = await startGateway(t, { INFERENCE_SERVICE_URL: await startCrashing(t) })
  const broken = await startPair(t, {}, { breakAfter: 3, tokensPerSecond: 5 })
  const full = await startPair(t, { MAX_CONCURRENT_REQUESTS: '1', MAX_QUEUED_REQUESTS: '0' }, { stallAfter: 1 })
  const file = join(mkdtempSync(join(tmpdir(), 'studio-')), 'catalog.json')
  writeFileSync(file, JSON.stringify({ chat: [{ id: 'gemini-1.5-flash', name: 'Flash', description: '', contextLength: 8192, capabilities: { input: ['text', 'image'] } }] }))
  const keyed = await startPair(t, { API_KEYS: 'the-key', CATALOG_FILE: file })
  const waiting = await startGateway(t, {
    CATALOG_SOURCE: 'inference',
    INFERENCE_SERVICE_URL: `http://127.0.0.1:${await freePort()}`,
    CATALOG_SNAPSHOT_FILE: join(mkdtempSync(join(tmpdir(), 'studio-')), 'snapshot.json')
  })
  const gateways = [down, limited.gateway, busy.gateway, crashing, broken.gateway, full.gateway, keyed.gateway, waiting]
  const { page, complaints } = await openPage(t, gateways.map(({ url }) => new URL(url).host))
  page.setDefaultTimeout(30_000)

  const say = async (url: string | undefined, text = 'Hello') => {
    if (url !== undefined) await page.goto(`${url}/studio`)
    await page.getByRole('textbox', { name: 'Message', exact: true }).fill(text)
    await page.keyboard.press('Enter')
  }
  const alert = page.getByRole('alert')

  await t.test('an inference service that is down', async t => {
    await say(down.url)
    await alert.waitFor()
    t.match(await alert.innerText(), /The inference service cannot be reached\s+It may be starting, or be down\. Try again in a moment/)
    await isAccessible(t, page, 'a failure')
    t.ok(await alert.getByRole('button', { name: 'Try again' }).isEnabled())
  })

  await t.test('too many requests: the button waits as long as the answer asks', async t => {
    await say(limited.gateway.url)
    await alert.waitFor()
    t.match(await alert.innerText(), /Too many requests\s+The limit for this minute is reached\. Try again in [12] seconds?\./)
    t.notOk(await alert.getByRole('button', { name: 'Try again' }).isEnabled(), 'the only number is the one that runs')
    await alert.getByRole('button', { name: 'Try again', exact: true }).click()
    await eventually(() => limited.standIn.requests.length === 2)
  })

  await t.test('a busy service: how long to wait, and its own words', async t => {
    await say(busy.gateway.url)
    await alert.waitFor()
    t.match(await alert.innerText(), /^The service is busy\s+Try again in [67] seconds\.\s+The answer says: “.+”/)
  })

  await t.test('an error within a stream', async t => {
    await say(crashing.url)
    await alert.waitFor()
    t.match(await alert.innerText(), /^The inference service reported an error\s+What arrived before is kept\. Try again\.\s+The answer says: “CUDA out of memory”/)
    t.match(await page.getByRole('article', { name: 'Answer' }).innerText(), /^It begins\s/)
  })

  await t.test('a full gateway says how long to wait', async t => {
    const first = fetch(`${full.gateway.url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"stream":true,"messages":[]}' })
    await full.standIn.waitFor(({ url }) => url.includes('chat'))
    await say(full.gateway.url)
    await alert.waitFor()
    t.match(await alert.innerText(), /The gateway is busy\s+It has as many requests as it can take\. Try again in \d+ seconds?\./)
    await (await first).body?.cancel()
  })

  await t.test('a stream that breaks: what arrived is kept, and not passed off as whole', async t => {
    await say(broken.gateway.url)
    await alert.waitFor()
    t.match(await alert.innerText(), /broke off[^]*What arrived before is kept/)
    t.match(await page.getByRole('article', { name: 'Answer' }).innerText(), /^You asked the\s/)
  })

  await t.test('offline', async t => {
    await page.context().setOffline(true)
    await say(undefined, 'Anyone?')
    await alert.getByText('You are offline').waitFor()
    const list = page.getByText('You are offline. The list of models may be out of date.')
    await list.waitFor()
    await page.context().setOffline(false)
    await list.waitFor({ state: 'detached' })
    t.pass('it says so, of the request and of the list')
  })

  await t.test('a list that its source has not confirmed', async t => {
    await page.goto(`${waiting.url}/studio`)
    await page.getByText('The inference service has not yet told its models.').waitFor()
    await isAccessible(t, page, 'a list that may be out of date')
  })

  await t.test('a gateway with keys asks for one, and keeps it for the tab only', async t => {
    await page.goto(`${keyed.gateway.url}/studio`)
    const field = page.getByLabel('This gateway asks for an API key')
    await field.waitFor()
    await isAccessible(t, page, 'the field for a key')
    await page.getByText('The gateway or the inference service chooses.').first().waitFor()
    t.equal(await page.getByText('could not be refreshed').count(), 0, 'the question for a key says it all')
    await field.fill('schlüssel')
    await page.keyboard.press('Enter')
    await page.getByText('A key has only letters, digits and signs of plain ASCII.').waitFor()
    await isAccessible(t, page, 'what is no key')
    await field.fill('a-wrong-one')
    for (const time of ['once', 'twice']) {
      const checked = page.waitForResponse(response => response.url().endsWith('/v1/models') && response.status() === 401)
      await page.keyboard.press('Enter')
      await checked
      await page.getByText('The gateway does not take this key.').waitFor()
      t.equal(await page.evaluate('sessionStorage.length'), 0, `a wrong key is not kept, entered ${time}`)
      t.equal(await focused(page), 'This gateway asks for an API key')
    }
    await isAccessible(t, page, 'a wrong key')
    await field.fill('the-key')
    await page.keyboard.press('Enter')
    await page.getByText('Your API key is kept until this tab is closed.').waitFor()
    t.equal(await focused(page), 'Message', 'the focus, after Use key')
    await page.getByText('The gateway chooses: gemini-1.5-flash').waitFor()
    await page.getByRole('button', { name: 'Attach a picture' }).waitFor()
    await say(undefined)
    await page.getByText('You said: Hello').waitFor()
    await page.getByRole('button', { name: 'Code' }).click()
    t.match(await page.getByLabel('Code for curl').innerText(), '-H "authorization: Bearer $GATEWAY_API_KEY"')
    t.notMatch(await page.content(), 'the-key', 'the key is not shown')
    t.equal(await page.evaluate('sessionStorage.getItem("model-gateway-api-key")'), 'the-key')
    t.strictSame(await page.evaluate('[localStorage.length, document.cookie]'), [0, ''])
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Forget it' }).click()
    await field.waitFor()
    t.equal(await page.evaluate('sessionStorage.length'), 0)
    t.equal(await page.goto(`${down.url}/studio`).then(async () => await page.getByLabel(/API key/).count()), 0, 'no field where none is needed')
  })

  t.strictSame(unexpected(complaints), [])
})
