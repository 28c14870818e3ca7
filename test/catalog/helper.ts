import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import admin from '../../plugins/admin.ts'
import catalog from '../../plugins/catalog.ts'
import errors, { errorOptions } from '../../plugins/errors.ts'
import { RequestLog } from '../../plugins/request-log.ts'
import { loadConfig } from '../../src/config.ts'

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

/** A server with the catalog and its administration alone; `log` collects its warnings and errors. */
export async function buildApp (t: Test, environment: Record<string, string> = {}): Promise<{ app: FastifyInstance, log: string[] }> {
  const log: string[] = []
  const app = Fastify({ pluginTimeout: 0, ...errorOptions(new RequestLog({ write: () => {} }, 'silent')), logger: { level: 'warn', stream: { write: (line: string) => { log.push(JSON.parse(line).msg) } } } })
  await app.register(errors)
  const config = loadConfig({ CATALOG_SNAPSHOT_FILE: join(tempDir(t), 'snapshot.json'), ...environment })
  await app.register(catalog, { config })
  await app.register(admin, { keys: config.ADMIN_API_KEY })
  t.teardown(async () => await app.close())
  return { app, log }
}

/** The same, listening on a port of its own. */
export async function startApp (t: Test, environment: Record<string, string> = {}): Promise<{ app: FastifyInstance, log: string[], url: string }> {
  const { app, log } = await buildApp(t, environment)
  return { app, log, url: await app.listen({ port: 0, host: '127.0.0.1' }) }
}
