// Plugins and instrumentation written by others work: every hook up to the handler
// runs for each kind of route, `onSend` and `onError` for all but relayed answers,
// and undici's diagnostics channels tell of each upstream request.
import t from 'tap'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { startFakeInference } from '../fake-inference.ts'
import { startGateway } from '../helper.ts'

const UP_TO_HANDLER = ['onRequest', 'preParsing', 'preValidation', 'preHandler']

/** The hooks that ran, by request. */
const seen = new Map<string, string[]>()
const note = (hook: string, { headers }: FastifyRequest) => { seen.set(headers['x-case'] as string, [...seen.get(headers['x-case'] as string) ?? [], hook]) }

/** As instrumentation does it: by the channel on which Fastify announces each instance. */
function addHooks (message: unknown): void {
  const { fastify } = message as { fastify: FastifyInstance }
  fastify.addHook('onRequest', async request => note('onRequest', request))
  fastify.addHook('preParsing', async request => note('preParsing', request))
  fastify.addHook('preValidation', async request => note('preValidation', request))
  fastify.addHook('preHandler', async request => note('preHandler', request))
  fastify.addHook('onSend', async request => note('onSend', request))
  fastify.addHook('onError', async request => note('onError', request))
  fastify.addHook('onResponse', async request => note('onResponse', request))
}

t.test('hooks', async t => {
  subscribe('fastify.initialization', addHooks)
  t.teardown(() => unsubscribe('fastify.initialization', addHooks))
  const upstream = await startFakeInference()
  t.teardown(() => upstream.close())
  const { url } = await startGateway(t, { INFERENCE_SERVICE_URL: upstream.url, ADMIN_API_KEY: 'the-key-of-an-admin', MODEL_POLICY: 'catalog' })
  const chat = (body: string) => ({ method: 'POST', headers: { 'content-type': 'application/json' }, body })
  const cases: Record<string, { path: string, init?: RequestInit, status: number, hooks: string[] }> = {
    'the catalog': { path: '/v1/models', status: 200, hooks: ['onSend'] },
    'an unknown model': { path: '/v1/models/none', status: 404, hooks: ['onError', 'onSend'] },
    'a relayed answer': { path: '/v1/chat/completions', init: chat('{}'), status: 200, hooks: [] },
    'a relayed stream': { path: '/v1/chat/completions', init: chat('{"stream":true}'), status: 200, hooks: [] },
    'a refused proxied request': { path: '/v1/chat/completions', init: chat('{"model":"forbidden"}'), status: 404, hooks: ['onError', 'onSend'] },
    'a malformed proxied request': { path: '/v1/chat/completions', init: chat('nonsense'), status: 400, hooks: ['onError', 'onSend'] },
    'an unknown route': { path: '/nothing', status: 404, hooks: ['onError', 'onSend'] },
    'the admin API': { path: '/admin/catalog', init: { headers: { authorization: 'Bearer the-key-of-an-admin' } }, status: 200, hooks: ['onSend'] },
    'the docs page': { path: '/docs/', status: 200, hooks: ['onSend'] },
    'the document': { path: '/openapi.json', status: 200, hooks: ['onSend'] }
  }
  for (const [name, { path, init, status, hooks }] of Object.entries(cases)) {
    const response = await fetch(url + path, { ...init, headers: { ...init?.headers, 'x-case': name } })
    await response.arrayBuffer()
    t.equal(response.status, status, name)
    await new Promise(resolve => setImmediate(resolve))
    t.same(seen.get(name), [...UP_TO_HANDLER, ...hooks, 'onResponse'], name)
  }
})

t.test('undici\'s channels', async t => {
  const events: string[] = []
  const channels = ['undici:request:create', 'undici:client:sendHeaders', 'undici:request:headers', 'undici:request:trailers']
  const upstream = await startFakeInference()
  t.teardown(() => upstream.close())
  const { url } = await startGateway(t, { INFERENCE_SERVICE_URL: upstream.url })
  for (const channel of channels) {
    const listener = () => { events.push(channel) }
    subscribe(channel, listener)
    t.teardown(() => unsubscribe(channel, listener))
  }
  await (await fetch(`${url}/v1/embeddings`, { method: 'POST', body: '{"input":"x"}' })).arrayBuffer()
  // The test's own fetch is Node's undici, with channels of the same names.
  for (const channel of channels) t.equal(events.filter(event => event === channel).length, 2, channel)
})
