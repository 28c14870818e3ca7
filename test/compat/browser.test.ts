// The `openai` package in a real browser, on a page of another origin: what a
// frontend under development on its own port does.
import { createServer } from 'node:http'
import { readFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { test } from 'tap'
import { noBrowser, openPage } from '../browser.ts'
import { startPair } from '../clients.ts'

const MODULES = new URL('../../node_modules/', import.meta.url)

test('a page on another port lists the models and reads a streamed chat', { skip: noBrowser }, async t => {
  const { gateway, baseURL, standIn } = await startPair(t)
  const frontend = createServer(async ({ url }, response) => {
    if (url === '/') {
      response.setHeader('content-type', 'text/html').end('<!doctype html><title>frontend</title><link rel="icon" href="data:,">')
      return
    }
    const file = await readFile(new URL('.' + url, MODULES)).catch(() => undefined)
    response.writeHead(file === undefined ? 404 : 200, { 'content-type': 'text/javascript' }).end(file)
  }).listen(0, 'localhost')
  await once(frontend, 'listening')
  t.teardown(() => { frontend.close(); frontend.closeAllConnections() })
  const host = `localhost:${(frontend.address() as AddressInfo).port}`

  const { page, complaints } = await openPage(t, [host, new URL(gateway.url).host])
  await page.goto(`http://${host}/`)
  const seen: any = await page.evaluate(`(async (baseURL, api) => {
    const { OpenAI } = await import('/openai/index.mjs')
    const openai = new OpenAI({ baseURL, apiKey: 'a-key', dangerouslyAllowBrowser: true, maxRetries: 0 })
    const models = (await openai.models.list()).data.map(model => model.id)
    const { response } = await openai.chat.completions.create({ model: '', messages: [{ role: 'user', content: 'Hello there' }], stream: true }).withResponse()
    let text = ''
    let chunks = 0
    for await (const chunk of await openai.chat.completions.create({ model: '', messages: [{ role: 'user', content: 'Hello there' }], stream: true })) {
      text += chunk.choices[0]?.delta.content ?? ''
      chunks++
    }
    let early = ''
    for await (const chunk of await openai.chat.completions.create({ model: '', messages: [], stream: true }, { query: { 'x-stand-in-stall-after': '3' } })) {
      early += chunk.choices[0]?.delta.content ?? ''
      if (early === 'You asked the') break
    }
    const error = await openai.models.retrieve('nope').catch(error => ({ status: error.status, message: error.message }))
    const list = await fetch(api + '/v1/models?type=chat')
    const again = await fetch(api + '/v1/models?type=chat', { headers: { 'if-none-match': list.headers.get('etag') }, cache: 'no-store' })
    return { models, text, chunks, early, error, id: response.headers.get('x-request-id'), chat: (await list.json()).length, again: again.status }
  })(${JSON.stringify(baseURL)}, ${JSON.stringify(gateway.url)})`)
  t.ok(seen.models.includes('gemini-1.5-flash'))
  t.match(seen.text, /^You asked the stand-in for model gemini-1\.5-flash\. .*Hello there$/)
  t.ok(seen.chunks > 10)
  t.equal(seen.early, 'You asked the', 'the first tokens of an answer that never ends')
  t.match(seen.error, { status: 404, message: /nope/ })
  t.ok(seen.id, 'the request id can be read')
  t.equal(seen.chat, 3)
  t.equal(seen.again, 304)
  t.equal(standIn.requests.at(-1)!.headers.origin, undefined, 'services refuse pages of other origins; the gateway has let this one in')
  t.strictSame(complaints.filter(complaint => !complaint.includes('404 (Not Found)')), [])
})
