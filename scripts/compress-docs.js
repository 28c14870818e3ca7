/**
 * Compresses the docs page's files from their package to openapi/dist/, under
 * names with a hash of their content. JavaScript, because it also runs at the end
 * of an installation without development packages.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { parse } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

/** The files that the page loads, except those that @fastify/swagger-ui generates for each gateway. */
const FILES = ['swagger-ui-bundle.js', 'swagger-ui-standalone-preset.js', 'swagger-ui.css', 'index.css']

const source = new URL('./static/', import.meta.resolve('@fastify/swagger-ui'))
const target = new URL('../openapi/dist/', import.meta.url)

rmSync(target, { recursive: true, force: true })
mkdirSync(target, { recursive: true })
for (const file of FILES) {
  const content = readFileSync(new URL(file, source))
  const { name, ext } = parse(file)
  const hash = createHash('sha256').update(content).digest('hex').slice(0, 8)
  const hashed = `${name}-${hash}${ext}`
  writeFileSync(new URL(hashed, target), content)
  writeFileSync(new URL(`${hashed}.br`, target), brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }))
  writeFileSync(new URL(`${hashed}.gz`, target), gzipSync(content, { level: constants.Z_BEST_COMPRESSION }))
}
