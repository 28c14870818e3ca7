// An inference service of which only the list matters, and the loader of that list.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Server } from 'node:net'
import type { Test } from 'tap'
import { InferenceModels, type InferenceOptions } from '../../src/catalog/inference.ts'
import { loadConfig } from '../../src/config.ts'

export type Handler = (request: IncomingMessage, response: ServerResponse) => unknown

/** Time limits that a test can wait for. */
export const settings = { UPSTREAM_CONNECT_TIMEOUT: '2', UPSTREAM_FIRST_BYTE_TIMEOUT: '0.3', UPSTREAM_IDLE_TIMEOUT: '0.3' }

/** Listens until the test ends; the address. */
export async function listen (t: Test, server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { (server as { closeAllConnections?: () => void }).closeAllConnections?.(); server.close() })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** The loader on a service with that handler, below `path`; `hits` collects its requests. */
export async function service (t: Test, handler: Handler, { path = '', deadline = 30_000, key, ...options }: { path?: string, key?: string } & InferenceOptions = {}) {
  const hits: IncomingMessage[] = []
  const url = await listen(t, createServer((request, response) => { hits.push(request); handler(request, response) }))
  const models = new InferenceModels(loadConfig({ ...settings, INFERENCE_SERVICE_URL: url + path, ...(key !== undefined && { INFERENCE_API_KEY: key }) }), { deadline, ...options })
  t.teardown(async () => await models.close())
  return { hits, url, load: async () => await models.load(new AbortController().signal) }
}
