import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import catalog from '../../plugins/catalog.ts'
import { loadConfig } from '../../src/config.ts'
import { GatewayError } from '../../src/errors.ts'

/** A folder that goes away with the test. */
export function tempDir (t: Test): string {
  const dir = mkdtempSync(join(tmpdir(), 'catalog-'))
  t.teardown(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** A file with that content, which goes away with the test. */
export function tempFile (t: Test, content: string): string {
  const file = join(tempDir(t), 'catalog.json')
  writeFileSync(file, content)
  return file
}

/** A server with the catalog plugin alone; `log` collects its warnings and errors. */
export async function buildApp (t: Test, environment: Record<string, string> = {}): Promise<{ app: FastifyInstance, log: string[] }> {
  const log: string[] = []
  const app = Fastify({ logger: { level: 'warn', stream: { write: (line: string) => { log.push(JSON.parse(line).msg) } } } })
  app.setErrorHandler((error, _request, reply) => {
    const known = error instanceof GatewayError ? error : new GatewayError('internal_error', { message: String(error) })
    reply.code(known.statusCode).headers(known.headers).send(known.toBody())
  })
  await app.register(catalog, { config: loadConfig({ CATALOG_SNAPSHOT_FILE: join(tempDir(t), 'snapshot.json'), ...environment }) })
  t.teardown(async () => await app.close())
  return { app, log }
}

/** The same, listening on a port of its own. */
export async function startApp (t: Test, environment: Record<string, string> = {}): Promise<{ app: FastifyInstance, log: string[], url: string }> {
  const { app, log } = await buildApp(t, environment)
  return { app, log, url: await app.listen({ port: 0, host: '127.0.0.1' }) }
}
