// `npm run dev`: the pages with reload, and behind them the API of a gateway.
import { join } from 'node:path'
import { test } from 'tap'
import { createServer } from 'vite'
import { startGateway } from '../helper.ts'

test('npm run dev sends programs to the gateway, and browsers to the pages', async t => {
  const gateway = await startGateway(t, {})
  process.env.GATEWAY_URL = gateway.url
  const cacheDir = t.testdir()
  const server = await createServer({ cacheDir, configFile: join(import.meta.dirname, '../../pages/vite.config.ts'), logLevel: 'silent', server: { port: 0, host: '127.0.0.1' }, optimizeDeps: { noDiscovery: true, include: [] } })
  t.teardown(() => server.close())
  await server.listen()
  const [url] = server.resolvedUrls!.local
  const index: any = await (await fetch(url!, { headers: { accept: 'application/json' } })).json()
  t.equal(index.defaultModels.chat, 'gemini-1.5-flash', 'the studio asks here for the default models')
  t.equal((await fetch(`${url}v1/models`)).headers.get('content-type'), 'application/json; charset=utf-8')
  const page = await fetch(url!, { headers: { accept: 'text/html' } })
  t.equal(page.url, `${url}studio`)
  t.match(await page.text(), '/@vite/client', 'from the sources, not as the gateway has built it')
})
