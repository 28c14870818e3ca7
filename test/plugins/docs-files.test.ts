// The docs page's files, which are large: sent compressed, from what was
// compressed when the gateway was built, and kept by browsers for a year, since
// their names change with their content. And the address that the document gives.
import { createHash } from 'node:crypto'
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

test('the page\'s files are compressed ahead, and kept for a year under the hash of their content', async t => {
  const { url } = await startGateway(t, {})
  const page = await get(`${url}/docs`, {})
  t.equal(page.headers['cache-control'], 'no-cache')
  for (const [name, type, atMost] of [['swagger-ui-bundle.js', /javascript/, 460_000], ['swagger-ui-standalone-preset.js', /javascript/, 90_000], ['swagger-ui.css', /css/, 30_000], ['index.css', /css/, 400]] as const) {
    const [base, extension] = name.split('.')
    const [path, hash] = new RegExp(`docs/static/${base}-([0-9a-f]{8})\\.${extension}(?=")`).exec(String(page.body))!
    const file = `${url}/${path}`
    const plain = await get(file, {})
    t.equal(plain.headers['content-encoding'], undefined)
    t.equal(createHash('sha256').update(plain.body).digest('hex').slice(0, 8), hash, name)
    for (const [encoding, decode] of [['br', brotliDecompressSync], ['gzip', gunzipSync]] as const) {
      const packed = await get(file, { 'accept-encoding': encoding === 'br' ? 'gzip, deflate, br' : 'gzip' })
      t.equal(packed.headers['content-encoding'], encoding, name)
      t.equal(packed.headers['cache-control'], 'public, max-age=31536000, immutable')
      t.match(packed.headers['content-type'], type)
      t.match(packed.headers.vary, /accept-encoding/i)
      t.ok(packed.body.length < atMost, `${name}: ${packed.body.length} bytes as ${encoding}`)
      t.ok(decode(packed.body).equals(plain.body), 'the same file')
      t.equal((await get(`${file}.${encoding === 'br' ? 'br' : 'gz'}`, {})).status, 404)
    }
    t.notMatch((await get(`${url}/docs/static/${name}`, {})).headers['cache-control'], /immutable/, 'a name without a hash may mean another file tomorrow')
  }
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
