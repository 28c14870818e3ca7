import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import admin from '../../plugins/admin.ts'
import catalog from '../../plugins/catalog.ts'
import errors, { errorOptions } from '../../plugins/errors.ts'
import keys from '../../plugins/keys.ts'
import { loadConfig } from '../../src/config.ts'
import { Credentials } from '../../src/http/credentials.ts'

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

/** A line of the log. */
export interface LogLine {
  msg: string
  err?: { message: string }
}

/** A server with the catalog and its administration alone; `log` collects the messages of its warnings and errors, `lines` the whole lines. */
export async function buildApp (t: Test, environment: Record<string, string> = {}): Promise<{ app: FastifyInstance, log: string[], lines: LogLine[] }> {
  const [log, lines]: [string[], LogLine[]] = [[], []]
  const write = (text: string) => {
    const line = JSON.parse(text) as LogLine
    lines.push(line)
    log.push(line.msg)
  }
  const app = Fastify({ pluginTimeout: 0, ...errorOptions(), logger: { level: 'warn', stream: { write } } })
  await app.register(errors)
  const config = loadConfig({ CATALOG_SNAPSHOT_FILE: join(tempDir(t), 'snapshot.json'), ...environment })
  await app.register(keys, { credentials: new Credentials(config), except: ['/*'] })
  await app.register(catalog, { config })
  await app.register(admin)
  t.teardown(async () => await app.close())
  return { app, log, lines }
}

/** The same, listening on a port of its own. */
export async function startApp (t: Test, environment: Record<string, string> = {}): Promise<{ app: FastifyInstance, log: string[], lines: LogLine[], url: string }> {
  const { app, log, lines } = await buildApp(t, environment)
  return { app, log, lines, url: await app.listen({ port: 0, host: '127.0.0.1' }) }
}
