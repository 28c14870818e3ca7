// Where the list is. LM Studio answers `GET /models` with 200 and an error object;
// single-page UIs answer every path with their HTML; API gateways answer 403 or
// 404; login pages redirect. The list of all these is at /v1/models. Whatever the
// first address answers, if it is no list of models, the second one is asked, and
// the one that had the list is asked first from then on.
import t from 'tap'
import { service, type Handler } from '../catalog/service.ts'

const LIST = JSON.stringify({ object: 'list', data: [{ id: 'm' }] })

const atRoot: Record<string, Handler> = {
  'LM Studio: an error object with status 200': (_request, response) => response.end('{"error":"Unexpected endpoint or method. (GET /models)"}'),
  'a single-page UI: HTML with status 200': (_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><div id="root"></div>'),
  'an API gateway: 403': (_request, response) => response.writeHead(403).end('{"message":"Forbidden"}'),
  'a login page: a redirect': (_request, response) => response.writeHead(302, { location: '/login' }).end(),
  '404': (_request, response) => response.writeHead(404).end(),
  '405': (_request, response) => response.writeHead(405).end(),
  '500': (_request, response) => response.writeHead(500).end(),
  '204': (_request, response) => response.writeHead(204).end(),
  '200 with nothing': (_request, response) => response.end(),
  'an empty list': (_request, response) => response.end('{"object":"list","data":[]}'),
  'a list of other things': (_request, response) => response.end('{"data":["a","b"]}'),
  'an object of other things': (_request, response) => response.end('{"status":"ok"}'),
  'silence': () => {},
  'a connection that closes': (_request, response) => response.destroy()
}

for (const [name, handler] of Object.entries(atRoot)) {
  t.test(`${name}: the list is found at /v1/models, and asked for there from then on`, async t => {
    const { hits, load } = await service(t, (request, response) => request.url === '/v1/models' ? response.end(LIST) : handler(request, response))
    t.same((await load()).models, [{ id: 'm' }])
    t.same((await load()).models, [{ id: 'm' }])
    t.same(hits.map(({ url }) => url), ['/models', '/v1/models', '/v1/models'])
  })
}

t.test('below the path of the service\'s URL', async t => {
  for (const [path, answers, asked] of [
    ['', '/models', ['/models']],
    ['/', '/v1/models', ['/models', '/v1/models']],
    ['/v1', '/v1/models', ['/v1/models']],
    ['/v1/', '/v1/models', ['/v1/models']],
    ['/api/v0', '/api/v0/models', ['/api/v0/models']],
    ['/openai', '/openai/v1/models', ['/openai/models', '/openai/v1/models']]
  ] as const) {
    const { hits, load } = await service(t, (request, response) => {
      response.statusCode = request.url === answers ? 200 : 404
      response.end(LIST)
    }, { path })
    t.same((await load()).models, [{ id: 'm' }])
    t.same(hits.map(({ url }) => url), asked)
  }
})

t.test('a list that moves is found again; what each address answered is told', async t => {
  let at: string | undefined = '/v1/models'
  const { load, hits } = await service(t, (request, response) => {
    if (request.url === at) response.end(LIST)
    else if (request.url === '/models') response.writeHead(404).end()
    else response.end('{"error":{}}')
  })
  await load()
  at = '/models'
  await load()
  at = undefined
  await t.rejects(load(), new Error('The inference service has no list of models: /models answers 404; /v1/models answers with an error object.'))
  at = '/models'
  await load()
  t.same(hits.map(({ url }) => url), ['/models', '/v1/models', '/v1/models', '/models', '/models', '/v1/models', '/models'])
})
