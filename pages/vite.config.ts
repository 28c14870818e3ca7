import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'

/** The gateway that `npm run dev` sends API requests to. */
const GATEWAY = process.env.GATEWAY_URL ?? 'http://localhost:8000'
// What starts with `/admin/` is the admin API, `/admin` itself is the page. `/` leads browsers to the studio.
const API_PATHS = ['^/$', '/v1/', '/openai/', '^/admin/.+', '/docs', '/openapi.json', '/healthz', '/readyz']

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

/** Of the OpenAI client: the resources that the studio does not use, and the helpers that run tools. */
const UNUSED = /\/openai\/(resources\/(?!index|chat\/|images|audio\/(index|audio|speech|transcriptions)\.)|lib\/\w*(Runner|Stream)\.).*mjs$/
const EXPORTED = /^export (?:class|const|function) (\w+)|^export \{ *(?:\w+ as )?([\w, ]+?) *\}/gm

/**
 * The client's constructor makes every resource, so that no bundler can leave
 * one out; together they are a third of a megabyte. What the studio does
 * not use becomes empty classes.
 */
function leaveOutUnused (): Plugin {
  return {
    name: 'leave-out-unused',
    apply: 'build',
    enforce: 'pre',
    async load (id) {
      if (!UNUSED.test(id)) return null
      const names = [...(await readFile(id, 'utf8')).matchAll(EXPORTED)].flatMap(([, declared, listed]) => declared ?? listed!.split(/, */))
      return [...new Set(names)].filter(Boolean).map(name => `export class ${name} {}`).join('\n')
    }
  }
}

export default defineConfig({
  root: import.meta.dirname,
  appType: 'mpa',
  // Relative addresses: the pages work below any path prefix.
  base: './',
  plugins: [react(), leaveOutUnused(), compressAhead()],
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
    rolldownOptions: {
      // How long each plugin took is no warning.
      checks: { pluginTimings: false },
      input: { studio: join(import.meta.dirname, 'studio.html'), admin: join(import.meta.dirname, 'admin.html') }
    }
  },
  server: {
    proxy: Object.fromEntries(API_PATHS.map(path => [path, GATEWAY]))
  }
})
