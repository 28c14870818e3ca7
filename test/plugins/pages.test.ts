// How the built pages are served: under a strict content policy, compressed
// ahead, cached by the names' hashes; and where `/` leads. Needs `npm run build`.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import Fastify from 'fastify'
import { test } from 'tap'
import pages from '../../plugins/pages.ts'
import { loadConfig } from '../../src/config.ts'
import { startGateway } from '../helper.ts'

const BROWSER = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' }
const get = (url: string, headers: Record<string, string> = {}) => fetch(url, { headers, redirect: 'manual' })

for (const page of ['studio', 'admin']) {
  test(`/${page} and its files need no key, and allow nothing inline and nothing from elsewhere`, async t => {
    const { url } = await startGateway(t, { API_KEYS: 'secret' })
    const response = await get(`${url}/${page}`)
    t.equal(response.status, 200)
    t.equal(response.headers.get('cache-control'), 'no-cache')
    t.match(response.headers.get('content-type'), 'text/html')
    const policy = response.headers.get('content-security-policy')!
    t.match(policy, /default-src 'none';script-src 'self';style-src 'self';/)
    t.notMatch(policy, /unsafe|https?:|\*|upgrade-insecure/)

    const html = await response.text()
    const files = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(match => match[1]!)
    t.ok(files.some(file => file.endsWith('.js')) && files.some(file => file.endsWith('.css')))
    for (const file of files) {
      t.match(file, /^\.\/pages\/.+-[\w-]{8}\.\w+$/, 'relative, with a hash')
      const asset = await get(new URL(file, `${url}/${page}`).href)
      t.equal(asset.status, 200, file)
      t.equal(asset.headers.get('cache-control'), 'public, max-age=31536000, immutable')
      t.match(asset.headers.get('content-type'), /^(text\/css|application\/javascript|image\/svg\+xml)/)
      t.equal(asset.headers.get('content-security-policy'), policy)
      await asset.arrayBuffer()
    }
    t.equal((await get(`${url}/pages/none.js`)).status, 401, 'an unknown route needs a key, as everywhere')
    t.notOk((await get(`${url}/healthz`)).headers.has('content-security-policy'), 'the policy is the pages\' own')
  })
}

test('files are sent as they were compressed ahead, in what the browser takes', async t => {
  const { app } = await startGateway(t, {})
  const html = await app.inject('/studio')
  const paths = ['/studio', new URL(/src="([^"]+)"/.exec(html.body)![1]!, 'http://x/studio').pathname]
  for (const url of paths) {
    const plain = await app.inject({ url })
    t.notOk(plain.headers['content-encoding'])
    t.match(plain.headers.vary, /accept-encoding/i)
    const brotli = await app.inject({ url, headers: { 'accept-encoding': 'gzip, deflate, br, zstd' } })
    t.equal(brotli.headers['content-encoding'], 'br')
    t.equal(brotli.headers['content-type'], plain.headers['content-type'])
    t.equal(brotliDecompressSync(brotli.rawPayload).toString(), plain.body)
    const gzip = await app.inject({ url, headers: { 'accept-encoding': 'gzip' } })
    t.equal(gzip.headers['content-encoding'], 'gzip')
    t.equal(gunzipSync(gzip.rawPayload).toString(), plain.body)
    const again = await app.inject({ url, headers: { 'if-none-match': String(plain.headers.etag) } })
    t.equal(again.statusCode, 304)
  }
})

for (const [page, limit] of [['studio', 160], ['admin', 110]] as const) {
  test(`all of /${page} is at most ${limit} KB in gzip`, async t => {
    const { app } = await startGateway(t, {})
    const seen = new Set<string>()
    let total = 0
    const add = async (url: string) => {
      if (seen.has(url)) return
      seen.add(url)
      const response = await app.inject({ url, headers: { 'accept-encoding': 'gzip' } })
      if (response.statusCode !== 200) return
      total += response.rawPayload.length
      // What a file names is loaded with it, or later.
      for (const [name] of gunzipSync(response.rawPayload).toString().matchAll(/[\w-]+-[\w-]{8}\.(js|css)\b/g)) await add(`/pages/${name}`)
    }
    await add(`/${page}`)
    t.ok(seen.size > 3)
    t.ok(total <= limit * 1000, `${Math.ceil(total / 1000)} KB`)
  })
}

test('headers that mean something only where a page is safe are sent only there', async t => {
  const { app } = await startGateway(t, { TRUST_PROXY: '127.0.0.1' })
  const NAMES = ['cross-origin-opener-policy', 'origin-agent-cluster', 'strict-transport-security']
  for (const url of ['/studio', '/admin', '/docs']) {
    const names = async (headers: Record<string, string>) => {
      const answer = await app.inject({ url, headers })
      t.equal(answer.headers['x-frame-options'], 'SAMEORIGIN', 'the others are sent always')
      return NAMES.filter(name => name in answer.headers)
    }
    t.strictSame(await names({}), [])
    t.strictSame(await names({ 'x-forwarded-proto': 'https' }), NAMES, `${url} behind a proxy that says so`)
    t.strictSame(await names({ 'sec-fetch-dest': 'document' }), NAMES, `${url} from a browser on https or on the machine itself`)
  }
})

test('what is not there is a 404 in the error shape', async t => {
  const { app } = await startGateway(t, {})
  for (const url of ['/pages', '/pages/', '/pages/none.js', '/pages/../package.json', '/pages/%2e%2e/studio.html', '/studio/none', '/studio.html', '/pages/studio.html.br']) {
    const response = await app.inject({ url })
    t.equal(response.statusCode, 404, url)
    t.equal(response.json().error.code, 'not_found')
  }
  t.equal((await app.inject({ url: '/admin/models' })).statusCode, 404, 'no admin API without a key')
})

test('with a final slash, a page is sent to its address without, below any prefix', async t => {
  const { url } = await startGateway(t, {})
  for (const page of ['studio', 'admin']) {
    const response = await get(`${url}/${page}/?type=chat`)
    t.equal(response.status, 302)
    const location = response.headers.get('location')!
    t.equal(new URL(location, `https://example.org/ai/${page}/`).href, `https://example.org/ai/${page}`)
    t.equal((await get(new URL(location, `${url}/${page}/`).href)).status, 200)
  }
})

test('/ leads a browser to the studio, and tells anyone else the addresses', async t => {
  const { url } = await startGateway(t, { API_KEYS: 'secret' })
  const browser = await get(`${url}/`, BROWSER)
  t.equal(browser.status, 302)
  t.equal(new URL(browser.headers.get('location')!, 'https://example.org/ai/').href, 'https://example.org/ai/studio')
  t.equal(browser.headers.get('vary'), 'Accept')

  const index: any = await (await get(`${url}/`)).json()
  t.strictSame(index, { models: '/v1/models', openai: '/openai/v1', docs: '/docs', openapi: '/openapi.json', health: '/healthz', readiness: '/readyz', studio: '/studio', admin: '/admin' })
  for (const path of [index.docs, index.openapi, index.health, index.readiness, index.studio, index.admin]) t.equal((await get(url + path)).status, 200, path)
  for (const path of [index.models, `${index.openai}/models`]) t.equal((await get(url + path, { 'x-api-key': 'secret' })).status, 200, path)
})

test('/ tells which models answer requests that name none, but not to those without a key', async t => {
  const index = async (settings: Record<string, string>) => (await (await startGateway(t, settings)).app.inject('/')).json()
  t.strictSame((await index({ DEFAULT_CHAT_MODEL: 'a/b' })).defaultModels, { chat: 'a/b', image: 'sdxl' })
  const { app } = await startGateway(t, { API_KEYS: 'secret' })
  for (const headers of [{}, { authorization: 'Bearer wrong' }]) t.notOk('defaultModels' in (await app.inject({ url: '/', headers })).json())
  const keyed = await app.inject({ url: '/', headers: { 'x-api-key': 'secret' } })
  t.strictSame(keyed.json().defaultModels, { chat: 'gemini-1.5-flash', image: 'sdxl' })
  t.equal(keyed.headers['cache-control'], 'private, no-cache', 'no shared cache keeps it for others')
})

test('PUBLIC_URL stands before every address', async t => {
  const { app } = await startGateway(t, { PUBLIC_URL: 'https://example.org/ai/' })
  t.equal((await app.inject({ url: '/', headers: BROWSER })).headers.location, 'https://example.org/ai/studio')
  t.match((await app.inject('/')).json(), { models: 'https://example.org/ai/v1/models', admin: 'https://example.org/ai/admin' })
})

test('PAGES=false leaves them out', async t => {
  const { app } = await startGateway(t, { PAGES: 'false' })
  for (const url of ['/studio', '/admin']) t.equal((await app.inject(url)).json().error.code, 'not_found')
  t.equal((await app.inject({ url: '/', headers: BROWSER })).headers.location, 'docs')
  t.notOk('studio' in (await app.inject('/')).json())
})

test('a gateway without built pages says so in one line, and serves the rest', async t => {
  const lines: string[] = []
  const app = Fastify({ logger: { level: 'warn', stream: { write: (line: string) => { lines.push(line) } } } })
  t.teardown(() => app.close())
  await app.register(pages, { config: loadConfig({}), directory: pathToFileURL(join(mkdtempSync(join(tmpdir(), 'pages-')), 'dist/')) })
  t.equal((await app.inject('/studio')).statusCode, 404)
  t.equal((await app.inject({ url: '/', headers: BROWSER })).headers.location, 'docs')
  t.equal(lines.length, 1)
  t.match(JSON.parse(lines[0]!).msg, /not built.*npm run build/)
})
