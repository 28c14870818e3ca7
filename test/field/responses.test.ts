// Clients of the Responses API come back for a response that runs in the
// background: they read, stream, cancel and delete it by its id.
import t from 'tap'
import { startGateway } from '../helper.ts'
import { startService } from './helper.ts'

t.test('responses by id', async t => {
  const service = await startService(t)
  const { url } = await startGateway(t, { INFERENCE_SERVICE_URL: `${service.url}/api/v1` })
  const carried: [method: string, path: string, upstream: string][] = [
    ['GET', '/v1/responses/resp_1', '/api/v1/responses/resp_1'],
    ['GET', '/openai/v1/responses/resp_1?stream=true&starting_after=3', '/api/v1/responses/resp_1?stream=true&starting_after=3'],
    ['DELETE', '/v1/responses/resp_1', '/api/v1/responses/resp_1'],
    ['POST', '/v1/responses/resp_1/cancel', '/api/v1/responses/resp_1/cancel'],
    ['GET', '/v1/responses/resp_1/input_items?limit=2', '/api/v1/responses/resp_1/input_items?limit=2'],
    ['GET', '/v1/responses/a%20b:c', '/api/v1/responses/a%20b:c']
  ]
  for (const [method, path, upstream] of carried) {
    t.equal((await fetch(url + path, { method })).status, 200, `${method} ${path}`)
    t.match(service.received.at(-1), { method, url: upstream })
  }
  const hits = service.received.length
  const refused: [method: string, path: string, status: number][] = [
    ['GET', '/v1/responses/a%2fb', 400], ['GET', '/v1/responses/%2e%2e%2fmetrics', 400], ['GET', '/v1/responses/a%5cb', 400],
    ['GET', '/v1/responses/a/b', 404], ['PUT', '/v1/responses/a', 405], ['POST', '/v1/responses/a/input_items', 405], ['GET', '/v1/responses', 405]
  ]
  for (const [method, path, status] of refused) t.equal((await fetch(url + path, { method })).status, status, `${method} ${path}`)
  t.equal(service.received.length, hits, 'nothing else went upstream')
})
