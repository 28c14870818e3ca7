// Only listed paths go upstream, whatever way a path is written: a proxy and its
// upstream that read a path differently are how unlisted routes are reached. What
// no client writes in good faith is a 400 before anything looks at it.
import t from 'tap'
import { backAtRest, isError, lastPost, send, startRig, type Rig } from './helper.ts'

const TRAVERSAL = [
  '/v1/../v1/chat/completions', '/v1/chat/../chat/completions', '/v1/./chat/completions', '/v1/chat/completions/..', '/v1/chat/completions/.',
  '/v1/chat/completions/../../load_lora_adapter', '/v1/%2e%2e/metrics', '/v1/%2E%2e/v1/chat/completions', '/v1/.%2e/metrics', '/v1/chat/%2e/completions',
  '/v1/chat%2fcompletions', '/v1/chat%2Fcompletions', '/v1%2fchat/completions', '/v1/chat%2f..%2f..%2fmetrics', '/v1/..%2fmetrics', '/v1/..%5cmetrics',
  '/v1/chat\\completions', '/v1\\..\\metrics', '/v1/..\\metrics', '/v1/chat%5ccompletions', '/v1/chat%5C..%5Ccompletions', '\\v1\\chat\\completions',
  'HTTP://other.example/metrics', 'file:///etc/passwd', '//other.example/v1/chat/completions', 'http:/v1/chat/completions', 'http://a/v1/models/../chat/completions', 'http://a/v1/../v1/chat/completions', 'http://a#/v1/chat/completions', 'ftp://a/v1/chat/completions',
  '/v1/%252e%252e/metrics', '/v1/chat%252fcompletions', '/v1/chat/completions%2500', '/v1/%25%32%65%25%32%65/metrics',
  '/v1/chat/completions%00', '/v1/chat/completions%00.json', '/v1/%00/chat/completions', '/v1/chat/completions%0d%0aX-Injected:%20yes', '/v1/chat/completions%0a', '/v1/chat%09/completions', '/v1/chat/completions%7f',
  '/v1/chat/..;/completions', '/v1/..;a=b/metrics', '/v1/responses/..;/cancel', '/v1/responses/%2e%2e;/cancel',
  '*', '/*', '/v1/*', 'v1/chat/completions', '?', '/v1/chat/completions%', '/v1/chat/completions%zz', '/v1/%c0%ae%c0%ae/metrics', '/v1/chat/completions%ff', '/v1/%u002e%u002e/metrics',
  '/v1/models/../chat/completions', '/openai/v1/models/../../../metrics',
  '/v1/chat/completions;a=b', '/v1/chat/completions;/../x', '/v1;x/chat/completions', '/v1/chat/completions#fragment', '/v1/chat/completions#/../metrics'
]
const UNLISTED = [
  '/v1/load_lora_adapter', '/v1/unload_lora_adapter', '/openai/v1/load_lora_adapter', '/v1/metrics', '/health', '/v1', '/v1/', '/openai/v1', '/openai/v1/', '/openai/chat/completions',
  '/chat/completions', '/v1/chat', '/v1/chat/completions/x', '/v1/chat/completionsx', '/V1/chat/completions', '/v1/Chat/Completions', '/v1/v1/chat/completions', '/v1/openai/v1/chat/completions', '/v2/chat/completions', '/admin/models', '/v1/files', '/v1/responses/a/b', '/tokenize', '/.well-known/x'
]

async function refused (test: typeof t, rig: Rig, method: string, path: string): Promise<void> {
  const answer = await send(rig.gateway.port, `${method} ${path} HTTP/1.1\r\nhost: g\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`)
  test.ok([400, 404, 421].includes(answer.status), `${method} ${path}: ${answer.status}`)
  isError(test as never, answer, answer.status)
}

for (const method of ['POST', 'GET']) {
  for (const [kind, paths] of Object.entries({ 'written oddly': TRAVERSAL, unlisted: UNLISTED })) {
    if (method === 'GET' && kind === 'unlisted') continue
    t.test(`${method}, ${kind}`, async t => {
      const rig = await startRig(t, socket => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nleaked'))
      for (const path of paths) await refused(t as never, rig, method, path)
      t.equal(rig.upstream.hits(), 0)
      await backAtRest(rig)
    })
  }
}

t.test('a path below the models is a model, however it is encoded', async t => {
  const rig = await startRig(t, () => {})
  for (const id of ['%2e%2e/chat/completions', '..%2fchat%2fcompletions', '%2e%2e%2f%2e%2e%2fmetrics', '/x', '%252e', 'a%5cb']) {
    isError(t, await send(rig.gateway.port, `GET /v1/models/${id} HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n`), 404, 'model_not_found')
    isError(t, await send(rig.gateway.port, lastPost(`/v1/models/${id}`)), 405)
  }
  t.equal(rig.upstream.hits(), 0)
})

t.test('a trailing slash, doubled slashes and the absolute form are read as the plain path', async t => {
  const rig = await startRig(t, socket => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'))
  const paths = ['/v1/chat/completions/', '//v1/chat/completions', '/openai/v1//chat/completions', '///v1/chat//completions//', 'http://g/v1/chat/completions', 'http://127.0.0.1:8000/openai/v1/chat/completions?a=b', 'HTTPS://g/v1//chat/completions/']
  for (const path of paths) t.match(await send(rig.gateway.port, lastPost(path)), { status: 200, body: 'ok' }, path)
  const lines = Buffer.concat(rig.upstream.received).toString().match(/POST \S+ HTTP\/1.1/g)!
  t.same(lines, paths.map(path => `POST /v1/chat/completions${path.includes('?') ? '?a=b' : ''} HTTP/1.1`))
  for (const path of ['/v1/models/', '/openai/v1//models', 'http://g/v1/models', '/v1//models?type=chat']) {
    t.equal((await send(rig.gateway.port, `GET ${path} HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n`)).status, 200, path)
  }
  await backAtRest(rig)
})

t.test('an unlisted path is a 404, whatever its body', async t => {
  const rig = await startRig(t, () => {})
  for (const [type, body] of [['application/json', '{"broken'], ['image/png', 'x'], ['application/json', ''], ['nonsense', 'x'], ['application/json', 'x'.repeat(2_000_000)]] as const) {
    isError(t, await send(rig.gateway.port, lastPost('/v1/load_lora_adapter', body, { 'content-type': type })), 404, 'not_found')
  }
  t.equal(rig.upstream.hits(), 0)
  await backAtRest(rig)
})

t.test('what goes upstream is the listed path, and the query as it was', async t => {
  const rig = await startRig(t, socket => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'), {})
  const queries = ['', '?', '?a=b', '?a=%2e%2e/%2f&b=%00', '?x=http://other.example/../..', '?a=b?c=d']
  for (const query of queries) {
    t.match(await send(rig.gateway.port, lastPost(`/v1/ch%61t/completions${query}`)), { status: 200 }, query)
    t.equal((await send(rig.gateway.port, lastPost(`/openai/v1/chat/completions${query}`))).status, 200)
  }
  const lines = Buffer.concat(rig.upstream.received).toString().match(/POST \S+ HTTP\/1.1/g)!
  t.same(lines, queries.flatMap(query => Array(2).fill(`POST /v1/chat/completions${query} HTTP/1.1`)))
  await backAtRest(rig)
})
