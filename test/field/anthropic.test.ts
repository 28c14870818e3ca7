// Claude Code and Anthropic's SDKs post to `messages?beta=true` with `x-api-key` and
// `anthropic-version`, and read errors in Anthropic's shape only.
import t from 'tap'
import { lastPost, parseAnswer, rawClient, startRig } from '../faults/helper.ts'
import { startGateway } from '../helper.ts'
import { post, startService } from './helper.ts'

const body = '{"model":"claude","max_tokens":1,"messages":[]}'

t.test('messages and count_tokens are carried without configuration', async t => {
  const service = await startService(t)
  const { url } = await startGateway(t, { INFERENCE_SERVICE_URL: service.url })
  for (const path of ['/v1/messages?beta=true', '/v1/messages/count_tokens?beta=true', '/openai/v1/messages']) {
    await fetch(url + path, post(body, { 'x-api-key': 'sk-1', 'anthropic-version': '2023-06-01', 'anthropic-beta': 'b' }))
    t.match(service.received.at(-1), { url: path.replace('/openai', ''), headers: { 'x-api-key': 'sk-1', 'anthropic-version': '2023-06-01', 'anthropic-beta': 'b' } })
  }
})

t.test('a key is taken from either header, and the service\'s own key goes up in both', async t => {
  const service = await startService(t)
  const { url } = await startGateway(t, { INFERENCE_SERVICE_URL: service.url, API_KEYS: 'gateway-key-of-the-client', INFERENCE_API_KEY: 'service-key' })
  for (const headers of [{ 'x-api-key': 'gateway-key-of-the-client' }, { authorization: 'Bearer gateway-key-of-the-client' }]) {
    t.equal((await fetch(`${url}/v1/messages`, post(body, headers))).status, 200)
    t.match(service.received.at(-1)!.headers, { authorization: 'Bearer service-key', 'x-api-key': 'service-key' })
  }
})

t.test('the gateway\'s own errors have Anthropic\'s shape', async t => {
  const { url } = await startGateway(t, { INFERENCE_SERVICE_URL: 'http://127.0.0.1:1', API_KEYS: 'gateway-key-of-the-client', BODY_LIMIT: '1000' })
  const key = { 'x-api-key': 'gateway-key-of-the-client' }
  const errors: [init: RequestInit, status: number, type: string][] = [
    [post(body), 401, 'authentication_error'],
    [post('nonsense', key), 400, 'invalid_request_error'],
    [post('x'.repeat(2000), key), 413, 'request_too_large'],
    [post(body, key), 502, 'api_error']
  ]
  for (const path of ['messages?beta=true', 'messages/count_tokens']) {
    for (const [init, status, type] of errors) {
      const response = await fetch(`${url}/v1/${path}`, init)
      t.equal(response.status, status)
      t.strictSame(Object.keys(await response.clone().json() as object), ['type', 'error'])
      t.match(await response.json(), { type: 'error', error: { type, message: String } })
    }
  }
  t.match(await (await fetch(`${url}/v1/chat/completions`, post(body))).json(), { error: { code: 'invalid_api_key' } }, 'only there')
})

t.test('so has the error of a body that is too slow or malformed', async t => {
  const rig = await startRig(t, () => {}, { CLIENT_BODY_TIMEOUT: '0.5' })
  const head = 'POST /v1/messages HTTP/1.1\r\nhost: g\r\ncontent-type: application/json\r\n'
  for (const [rest, status] of [['content-length: 100\r\n\r\n{', 408], ['transfer-encoding: chunked\r\n\r\n1\r\n{\r\nno chunk\r\n', 400]] as const) {
    const client = await rawClient(rig.gateway.port, head + rest)
    await client.closed
    const answer = parseAnswer(client.text())
    t.equal(answer.status, status)
    t.match(JSON.parse(answer.body), { type: 'error', error: { type: 'invalid_request_error', message: String } })
  }
})

t.test('a stream that breaks ends in Anthropic\'s error event', async t => {
  const rig = await startRig(t, socket => {
    socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n')
    const event = 'event: ping\ndata: {"type":"ping"}\n\n'
    socket.write(`${event.length.toString(16)}\r\n${event}\r\n`)
    setTimeout(() => socket.destroy(), 50)
  })
  const client = await rawClient(rig.gateway.port, lastPost('/v1/messages', body))
  await client.closed
  const { body: received, complete } = parseAnswer(client.text())
  t.notOk(complete)
  t.match(received, /\n\nevent: error\ndata: \{"type":"error","error":\{"type":"api_error","message":"[^"]+"\}\}\n\n$/)
})
