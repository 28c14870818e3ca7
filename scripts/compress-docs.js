/**
 * Compresses the docs page's own files ahead, from the package that they come in
 * to openapi/dist/. JavaScript, since it also runs where there are no
 * development packages, at the end of an installation.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

/** What the page loads, but for what @fastify/swagger-ui writes anew for each gateway. */
const FILES = ['swagger-ui-bundle.js', 'swagger-ui-standalone-preset.js', 'swagger-ui.css', 'index.css']

const source = new URL('./static/', import.meta.resolve('@fastify/swagger-ui'))
const target = new URL('../openapi/dist/', import.meta.url)

rmSync(target, { recursive: true, force: true })
mkdirSync(target, { recursive: true })
for (const name of FILES) {
  const content = readFileSync(new URL(name, source))
  writeFileSync(new URL(name, target), content)
  writeFileSync(new URL(`${name}.br`, target), brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }))
  writeFileSync(new URL(`${name}.gz`, target), gzipSync(content, { level: constants.Z_BEST_COMPRESSION }))
}
