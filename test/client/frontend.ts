import { createServer, request as forward } from 'node:http'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build, type InlineConfig } from 'vite'
import type { Test } from 'tap'

const ROOT = new URL('../../', import.meta.url)
const path = (relative: string) => fileURLToPath(new URL(relative, ROOT))

/** Where each version of React is installed: 18 for tap's own use, 19 for the pages. */
const REACT = { 18: 'node_modules/', 19: 'pages/node_modules/' } as const

export interface Page {
  /** The version of React that both bundles hold. */
  version: string
  /** As a server renders it. */
  html: string
  /** What the browser runs. */
  script: string
}

/** Bundles the page with one version of React, in development mode: only there does it double effects and report what does not match. */
export async function buildPage (t: Test, react: keyof typeof REACT): Promise<Page> {
  const modules = path(REACT[react])
  const config: InlineConfig = {
    configFile: false,
    root: path('test/client/page'),
    mode: 'development',
    logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"development"' },
    resolve: { alias: [{ find: /^(react|react-dom)(?=$|\/)/, replacement: `${modules}$1` }] }
  }
  const bundle = async (entry: string, ssr: boolean) => {
    const result = await build({ ...config, ssr: { noExternal: true }, build: { write: false, minify: false, ssr, rollupOptions: { input: path(`test/client/page/${entry}`) } } })
    if (!('output' in result)) throw new Error('not one bundle')
    return result.output[0].code
  }
  const file = `${t.testdir({})}/server.mjs`
  writeFileSync(file, await bundle('server.ts', true))
  const { version, render } = await import(pathToFileURL(file).href)
  return { version, html: render(), script: await bundle('browser.ts', false) }
}

export interface Frontend {
  readonly host: string
  /** The status of each answer of the gateway, by target: 502 where there was none. */
  readonly answers: Array<{ url: string, status: number }>
  /** Where the gateway is. */
  target: number
  /** While this is pending, requests wait. */
  held: Promise<void>
}

/** Serves the page, and passes `/v1` on to the gateway, as a development server does. */
export async function startFrontend (t: Test, { html, script }: Page, target: number): Promise<Frontend> {
  const answers: Frontend['answers'] = []
  const server = createServer(async (request, response) => {
    const url = request.url!
    if (url === '/page.js') return response.writeHead(200, { 'content-type': 'text/javascript' }).end(script)
    if (!url.startsWith('/v1/')) return response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(`<!doctype html><title>page</title><link rel="icon" href="data:,"><main>${html}</main><script type="module" src="/page.js"></script>`)
    await frontend.held
    forward({ port: frontend.target, path: url, headers: request.headers, agent: false }, answer => {
      answers.push({ url, status: answer.statusCode! })
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    }).on('error', () => {
      answers.push({ url, status: 502 })
      response.writeHead(502).end()
    }).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close(); server.closeAllConnections() })
  const frontend: Frontend = { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, answers, target, held: Promise.resolve() }
  return frontend
}
