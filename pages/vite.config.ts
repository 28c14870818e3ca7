import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'

/** The gateway that `npm run dev` sends API requests to. */
const GATEWAY = process.env.GATEWAY_URL ?? 'http://localhost:8000'
// What starts with `/admin/` is the admin API, `/admin` itself is the page.
const API_PATHS = ['/v1/', '/openai/', '^/admin/.+', '/docs', '/openapi.json', '/healthz', '/readyz']

const COMPRESSIBLE = /\.(html|js|css|svg)$/

/** Writes `.br` and `.gz` beside each file, so that the gateway compresses nothing itself. */
function compressAhead (): Plugin {
  return {
    name: 'compress-ahead',
    apply: 'build',
    async writeBundle ({ dir = '' }) {
      const names = (await readdir(dir, { recursive: true })).filter(name => COMPRESSIBLE.test(name))
      await Promise.all(names.map(async name => {
        const file = join(dir, name)
        const content = await readFile(file)
        await writeFile(`${file}.gz`, await promisify(gzip)(content, { level: 9 }))
        await writeFile(`${file}.br`, await promisify(brotliCompress)(content, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }))
      }))
    }
  }
}

export default defineConfig({
  root: import.meta.dirname,
  appType: 'mpa',
  // Relative addresses: the pages work below any path prefix.
  base: './',
  plugins: [react(), compressAhead()],
  // Packages in the root's node_modules find React 18 there, which the test runner brings.
  resolve: { dedupe: ['react', 'react-dom'] },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    // `/pages/*` on the gateway; all names in it have a content hash.
    assetsDir: 'pages',
    // A data: URL is not in every directive of the content policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: { studio: join(import.meta.dirname, 'studio.html'), admin: join(import.meta.dirname, 'admin.html') } }
  },
  server: {
    proxy: Object.fromEntries(API_PATHS.map(path => [path, GATEWAY]))
  }
})
