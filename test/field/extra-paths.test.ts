// SDKs have resources beyond inference: files, batches, fine-tuning jobs with colons
// in their ids, all with GET, POST and DELETE. They are carried where the operator
// lists them, and never out of the listed pattern.
import t from 'tap'
import { lastPost, send } from '../faults/helper.ts'
import { startGateway } from '../helper.ts'
import { startService } from './helper.ts'

t.test('wildcards, colons and all methods', async t => {
  const service = await startService(t)
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: service.url, PROXY_EXTRA_PATHS: 'files/*,fine_tuning/*,batches,chat/completions,models:predict' })
  const { url } = gateway
  const carried: [method: string, path: string][] = [
    ['GET', '/v1/files'], ['POST', '/v1/files'], ['DELETE', '/v1/files/file-1'], ['GET', '/v1/files/file-1/content?x=%2F'], ['PUT', '/v1/files/a'], ['PATCH', '/v1/files/a'],
    ['POST', '/v1/fine_tuning/checkpoints/ft:gpt-4o:org::abc/permissions'], ['GET', '/v1/fine_tuning/jobs/a%20b'],
    ['GET', '/v1/batches'], ['POST', '/v1/batches'], ['GET', '/v1/chat/completions'], ['DELETE', '/v1/chat/completions'], ['POST', '/v1/models:predict']
  ]
  for (const [method, path] of carried) {
    const response = await fetch(url + path, { method, ...(method === 'POST' && { body: 'raw \0 bytes', headers: { 'content-type': 'application/octet-stream' } }) })
    t.equal(response.status, 200, `${method} ${path}`)
    t.match(service.received.at(-1), { method, url: path })
    if (method === 'POST') t.equal(service.received.at(-1)!.body.toString(), 'raw \0 bytes')
  }
  await fetch(`${url}/v1/chat/completions`, { method: 'POST', body: '{}' })
  t.equal(service.received.at(-1)!.body.toString(), '{"model":"gemini-1.5-flash"}', 'a built-in path keeps its default')
  const hits = service.received.length
  for (const path of ['/v1/files/..', '/v1/files/../load_lora_adapter', '/v1/files/%2e%2e/x', '/v1/files/a%2f..%2f..%2fx', '/v1/files/a%2fb', '/v1/files/a%5c..%5cx', '/v1/files/%252e%252e/x', '/v1/filesx', '/v1/batches/b', '/v1/fine_tuningx/a']) {
    const { status } = await send(gateway.port, lastPost(path))
    t.ok([400, 404].includes(status), `${path}: ${status}`)
  }
  t.equal(service.received.length, hits)
  const document = await (await fetch(`${url}/openapi.json`)).json() as { paths: Record<string, object> }
  t.same(Object.keys(document.paths['/v1/files/{path}']!).sort(), ['delete', 'get', 'patch', 'post', 'put'])
})
