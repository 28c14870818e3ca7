// What `model-gateway-client` does with a real gateway, as an application that
// imports the built package sees it: typed lists, single models, and errors that
// a program can tell apart.
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { GatewayError, getModel, listModels, modelsQuery } from 'model-gateway-client'
import { test, type Test } from 'tap'
import { freePort } from '../free-port.ts'
import { startGateway } from '../helper.ts'

const CHAT = [
  { id: 'org/model 1', name: 'Slash and space', description: '', contextLength: 4096 },
  { id: 'a?b&c#ç', name: 'Other characters', description: 'Encoded', contextLength: 8192 }
]
const IMAGE = [{ id: 'sdxl', name: 'SDXL', description: 'Pictures', provider: 'StabilityAI' }]

async function start (t: Test, settings: Record<string, string> = {}) {
  const directory = t.testdir({ 'catalog.json': JSON.stringify({ chat: CHAT, image: IMAGE }) })
  const { url } = await startGateway(t, { CATALOG_FILE: `${directory}/catalog.json`, ...settings })
  return url
}

/** A server that answers each request with the same bytes: what stands where a gateway is expected. */
async function startOther (t: Test, status: number, body: string) {
  const server = createServer((_request, response) => response.writeHead(status, { 'content-type': 'text/html' }).end(body)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close(); server.closeAllConnections() })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const failure = (request: Promise<unknown>) => request.then(() => undefined, (error: unknown) => error)

test('lists of one type and of all, with and without a slash after the address', async t => {
  const baseUrl = await start(t)
  t.strictSame(await listModels('chat', { baseUrl }), CHAT)
  t.strictSame(await listModels('image', { baseUrl: `${baseUrl}/` }), IMAGE)
  t.strictSame(await listModels('speech', { baseUrl }), [])
  t.strictSame(await listModels(undefined, { baseUrl: `${baseUrl}//` }), [...CHAT, ...IMAGE])
})

test('every model of the list can be retrieved', async t => {
  const baseUrl = await start(t)
  for (const model of CHAT) t.match(await getModel(model.id, { baseUrl }), { ...model, type: 'chat' })
})

test('the gateway\'s own errors keep their code, status and field', async t => {
  const baseUrl = await start(t, { API_KEYS: 'a-key' })
  const apiKey = 'a-key'
  const refused = await failure(listModels('chat', { baseUrl }))
  t.ok(refused instanceof GatewayError)
  t.match(refused, { name: 'GatewayError', code: 'invalid_api_key', status: 401, param: null })
  t.equal((await listModels('chat', { baseUrl, apiKey })).length, 2)
  t.match(await failure(getModel('nope', { baseUrl, apiKey })), { code: 'model_not_found', status: 404, param: 'id', message: 'The model \'nope\' does not exist.' })
  t.match(await failure(listModels('video' as 'chat', { baseUrl, apiKey })), { code: 'invalid_value', status: 400, param: 'type' })
})

test('no answer, and answers of others', async t => {
  const down = await failure(listModels('chat', { baseUrl: `http://127.0.0.1:${await freePort()}` }))
  t.match(down, { code: 'network_error', status: 0, param: null, message: 'The gateway cannot be reached.' })
  t.ok((down as Error).cause instanceof Error)
  const page = await startOther(t, 200, '<!doctype html>')
  t.match(await failure(listModels('chat', { baseUrl: page })), { code: 'invalid_response', status: 200 })
  t.match(await failure(getModel('sdxl', { baseUrl: page })), { code: 'invalid_response', status: 200 })
  const list = await startOther(t, 200, '[]')
  t.match(await failure(getModel('', { baseUrl: list })), { code: 'invalid_response', status: 200 }, 'the list is not a model')
  t.match(await failure(listModels('chat', { baseUrl: await startOther(t, 502, '<h1>Bad Gateway</h1>') })), { code: 'invalid_response', status: 502 })
  t.match(await failure(listModels('chat', { baseUrl: await startOther(t, 500, '{"error":{"message":"No.","code":null}}') })), { code: 'invalid_response', status: 500, message: 'No.' })
})

test('an aborted request rejects with the signal\'s reason', async t => {
  const baseUrl = await start(t)
  const reason = new Error('the page was left')
  t.equal(await failure(listModels('chat', { baseUrl, signal: AbortSignal.abort(reason) })), reason)
  const timeout = await failure(listModels('chat', { baseUrl, signal: AbortSignal.abort() }))
  t.equal((timeout as Error).name, 'AbortError')
})

test('another fetch is used where one is given', async t => {
  const baseUrl = await start(t)
  const asked: string[] = []
  const models = await listModels('image', { baseUrl, fetch: (input, init) => { asked.push(String(input)); return fetch(input, init) } })
  t.strictSame(models, IMAGE)
  t.strictSame(asked, [`${baseUrl}/v1/models?type=image`])
})

test('a query for TanStack Query: one key a list, without the API key', async t => {
  const baseUrl = await start(t, { API_KEYS: 'a-key' })
  const { queryKey, queryFn } = modelsQuery('image', { baseUrl, apiKey: 'a-key' })
  t.strictSame(queryKey, ['models', baseUrl, 'image'])
  t.strictSame(modelsQuery().queryKey, ['models', '', 'all'])
  t.strictSame(await queryFn({ signal: new AbortController().signal }), IMAGE)
  t.equal((await failure(queryFn({ signal: AbortSignal.abort() })) as Error).name, 'AbortError')
})
