// The default model goes in where the request names none, and nowhere else; all
// other bytes are the client's.
import t from 'tap'
import { startFakeInference } from '../fake-inference.ts'
import { startGateway } from '../helper.ts'

const inserted: Record<string, [body: string, sent: string]> = {
  'empty object': ['{}', '{"model":"chat-default"}'],
  absent: ['{"a":1}', '{"a":1,"model":"chat-default"}'],
  'white space before and inside': [' \r\n\t{ "a": 1 \n} ', ' \r\n\t{ "a": 1 \n,"model":"chat-default"} '],
  null: ['{"model":null,"a":1}', '{"model":"chat-default","a":1}'],
  'empty string': ['{"model" : "","a":1}', '{"model" : "chat-default","a":1}'],
  'escaped key, null': ['{"mod\\u0065l":null}', '{"mod\\u0065l":"chat-default"}'],
  'only a nested one': ['{"a":{"model":"x"}}', '{"a":{"model":"x"},"model":"chat-default"}']
}
const untouched: Record<string, string> = {
  named: '{"model":"mine"}',
  'escaped key': '{"mod\\u0065l":"mine"}',
  'numbers, key order, escapes and duplicates': '{"z":12345678901234567890,"a":1.0,"e":1e400,"s":"\\ud800\\u0041","a":2,"model":"m"}',
  'not a string: for the upstream to judge': '{"model":5}'
}
const refused: Record<string, [body: string, code: string]> = {
  'two models': ['{"model":"a","model":"b"}', 'duplicate_model'],
  'two models, one escaped': ['{"model":"a","\\u006dodel":null}', 'duplicate_model'],
  'null at the top': ['null', 'invalid_json'],
  'an array': ['[]', 'invalid_json'],
  'a number': ['0', 'invalid_json'],
  'a string': ['""', 'invalid_json'],
  nothing: ['', 'invalid_json'],
  'not JSON': ['{"a":', 'invalid_json'],
  'two objects': ['{}{}', 'invalid_json']
}

t.test('chat/completions', async t => {
  const upstream = await startFakeInference()
  t.teardown(() => upstream.close())
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: upstream.url, DEFAULT_CHAT_MODEL: 'chat-default' })
  const send = (body: string) => fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })

  for (const [name, [body, sent]] of Object.entries(inserted)) {
    t.test(`put in: ${name}`, async t => {
      const response = await send(body)
      t.equal(response.status, 200)
      t.equal((await response.json() as { model: string }).model, 'chat-default')
      const hit = upstream.requests.at(-1)!
      t.equal(hit.body.toString(), sent)
      t.equal(hit.headers['content-length'], String(Buffer.byteLength(sent)))
    })
  }
  for (const [name, body] of Object.entries(untouched)) {
    t.test(`untouched: ${name}`, async t => {
      await (await send(body)).arrayBuffer()
      t.equal(upstream.requests.at(-1)!.body.toString(), body)
    })
  }
  for (const [name, [body, code]] of Object.entries(refused)) {
    t.test(`refused: ${name}`, async t => {
      const hits = upstream.requests.length
      const response = await send(body)
      t.equal(response.status, 400)
      t.match(await response.json(), { error: { message: String, type: 'invalid_request_error', param: null, code } })
      t.equal(upstream.requests.length, hits, 'nothing went upstream')
    })
  }
})

t.test('each endpoint gets the default of its type', async t => {
  const upstream = await startFakeInference()
  t.teardown(() => upstream.close())
  const settings = { INFERENCE_SERVICE_URL: upstream.url, DEFAULT_CHAT_MODEL: 'c', DEFAULT_IMAGE_MODEL: 'i' }
  const bare = await startGateway(t, settings)
  const speaking = await startGateway(t, { ...settings, DEFAULT_SPEECH_MODEL: 's' })
  const sent = async (url: string, path: string) => {
    await (await fetch(`${url}/v1/${path}`, { method: 'POST', body: '{"input":"x"}' })).arrayBuffer()
    return (JSON.parse(upstream.requests.at(-1)!.body.toString()) as { model?: string }).model
  }
  for (const path of ['chat/completions', 'completions', 'responses']) t.equal(await sent(bare.url, path), 'c', path)
  t.equal(await sent(bare.url, 'images/generations'), 'i')
  t.equal(await sent(bare.url, 'audio/speech'), undefined, 'no speech default is set')
  t.equal(await sent(speaking.url, 'audio/speech'), 's')
  for (const path of ['embeddings', 'moderations', 'rerank']) t.equal(await sent(speaking.url, path), undefined, path)
})

t.test('a large body goes upstream whole, with its length and the default', async t => {
  const upstream = await startFakeInference()
  t.teardown(() => upstream.close())
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: upstream.url, DEFAULT_IMAGE_MODEL: 'i' })
  for (const size of [200_000, 1_000_000]) {
    const bare = JSON.stringify({ prompt: 'x'.repeat(size) })
    const named = JSON.stringify({ prompt: 'x'.repeat(size), model: 'mine' })
    for (const [body, expected] of [[bare, `${bare.slice(0, -1)},"model":"i"}`], [named, named]] as const) {
      // As a stream, fetch sends it chunked.
      for (const sent of [body, new Blob([body]).stream()]) {
        await (await fetch(`${gateway.url}/v1/images/generations`, { method: 'POST', body: sent, duplex: 'half' })).arrayBuffer()
        const hit = upstream.requests.at(-1)!
        t.equal(hit.body.toString(), expected)
        t.equal(hit.headers['content-length'], String(expected.length))
        t.equal(hit.headers['transfer-encoding'], undefined)
      }
    }
  }
})
