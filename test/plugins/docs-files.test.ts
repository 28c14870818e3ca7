// The docs page's files, which are large: sent compressed, from what was
// compressed when the gateway was built, and not sent again while they are
// current. And the address that the document gives.
import { once } from 'node:events'
import { request } from 'node:http'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { test } from 'tap'
import { startGateway } from '../helper.ts'

/** The answer as it is on the wire: `fetch` would decode it. */
async function get (url: string, headers: Record<string, string>) {
  const [answer] = await once(request(url, { headers, agent: false }).end(), 'response')
  const body = Buffer.concat(await answer.toArray())
  return { status: answer.statusCode, headers: answer.headers, body }
}

test('the page\'s files are compressed ahead, and a copy that is current costs a 304', async t => {
  const { url } = await startGateway(t, {})
  for (const [name, type, atMost] of [['swagger-ui-bundle.js', /javascript/, 460_000], ['swagger-ui-standalone-preset.js', /javascript/, 90_000], ['swagger-ui.css', /css/, 30_000]] as const) {
    const file = `${url}/docs/static/${name}`
    const plain = await get(file, {})
    t.equal(plain.headers['content-encoding'], undefined)
    for (const [encoding, decode] of [['br', brotliDecompressSync], ['gzip', gunzipSync]] as const) {
      const packed = await get(file, { 'accept-encoding': encoding === 'br' ? 'gzip, deflate, br' : 'gzip' })
      t.equal(packed.headers['content-encoding'], encoding, name)
      t.match(packed.headers['content-type'], type)
      t.match(packed.headers.vary, /accept-encoding/i)
      t.ok(packed.body.length < atMost, `${name}: ${packed.body.length} bytes as ${encoding}`)
      t.ok(decode(packed.body).equals(plain.body), 'the same file')
      const again = await get(file, { 'accept-encoding': 'gzip, deflate, br', 'if-none-match': (await get(file, { 'accept-encoding': 'gzip, deflate, br' })).headers.etag })
      t.equal(again.status, 304)
      t.equal(again.body.length, 0)
    }
  }
  t.equal((await get(`${url}/docs/static/swagger-ui-bundle.js.br`, {})).status, 404)
})

test('the document says at which address the gateway is reached', async t => {
  const serversOf = async (settings: Record<string, string>, path = '/openapi.json') => {
    const { url } = await startGateway(t, settings)
    return (await (await fetch(url + path)).json() as { servers: Array<{ url: string }> }).servers.map(server => server.url)
  }
  t.strictSame(await serversOf({}), ['/'])
  t.strictSame(await serversOf({ PUBLIC_URL: 'https://gateway.example/ai/' }), ['https://gateway.example/ai'])
  t.strictSame(await serversOf({ PUBLIC_URL: 'https://gateway.example/ai/' }, '/docs/json'), ['..'], 'the page asks the gateway that it came from')
})
