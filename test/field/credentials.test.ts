// A client may bring a key of its own in any of four headers. With the service's key
// set, every one of them is replaced. Where the gateway checks keys itself, the
// client's are meant for it. Else they pass.
import t from 'tap'
import { startGateway } from '../helper.ts'
import { post, startService } from './helper.ts'

const KEYS = { authorization: 'Bearer client-1', 'x-api-key': 'client-2', 'api-key': 'client-3', 'x-goog-api-key': 'client-4' }

t.test('client credentials', async t => {
  const service = await startService(t)
  const cases: [name: string, settings: Record<string, string>, sent: Record<string, string>, upstream: Record<string, string | undefined>][] = [
    ['no keys set: they pass', {}, KEYS, KEYS],
    ['the service\'s key: all are replaced', { INFERENCE_API_KEY: 'service-key' }, KEYS, { authorization: 'Bearer service-key', 'x-api-key': undefined, 'api-key': undefined, 'x-goog-api-key': undefined }],
    ['the gateway\'s keys: they stay here', { API_KEYS: 'a-key-of-the-gateway' }, { ...KEYS, authorization: 'Bearer a-key-of-the-gateway' }, { authorization: undefined, 'x-api-key': undefined, 'api-key': undefined, 'x-goog-api-key': undefined }]
  ]
  for (const [name, settings, sent, upstream] of cases) {
    const { url } = await startGateway(t, { INFERENCE_SERVICE_URL: service.url, ...settings })
    t.equal((await fetch(`${url}/v1/chat/completions`, post('{}', sent))).status, 200, name)
    const { headers } = service.received.at(-1)!
    for (const [header, value] of Object.entries(upstream)) t.equal(headers[header], value, `${name}: ${header}`)
  }
})
