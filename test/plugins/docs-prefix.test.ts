// The docs page behind a proxy that has the gateway below a path prefix: its
// files are found, and its requests go where the page came from.
import { once } from 'node:events'
import { createServer, request as forward } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type Test } from 'tap'
import { noBrowser, openPage } from '../browser.ts'
import { startPair } from '../clients.ts'
import { tryOut } from './docs-operation.ts'

/** A server in front of the gateway that has it below a path prefix. */
async function startPrefixed (t: Test, target: string, prefix: string) {
  const server = createServer((request, response) => {
    if (!request.url!.startsWith(`${prefix}/`)) return response.writeHead(404).end()
    request.pipe(forward(target + request.url!.slice(prefix.length), { method: request.method!, headers: request.headers, agent: false }, answer => {
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close(); server.closeAllConnections() })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('in a browser, below a path prefix, with and without a slash', { skip: noBrowser }, async t => {
  const { gateway } = await startPair(t)
  const host = await startPrefixed(t, gateway.url, '/some/prefix')
  const { page, complaints } = await openPage(t, [host])
  for (const path of ['/docs', '/docs/']) {
    await page.goto(`http://${host}/some/prefix${path}`)
    const { answer, curl } = await tryOut(page, 'listModels')
    t.match(answer, /^Code[^]*200[^]*"id": "gemini-1\.5-flash"/, path)
    t.match(curl, `http://${host}/some/prefix/v1/models`)
  }
  t.strictSame(complaints, [])
})
