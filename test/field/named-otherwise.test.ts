// Clients name their model in other ways than by `model`: OpenRouter by a list of
// fallbacks (`models`) or a `preset`, OpenAI's Responses API by a stored `prompt`. A
// default model beside these would override what the client chose.
import t from 'tap'
import { startGateway } from '../helper.ts'
import { post, startService } from './helper.ts'

const untouched: [path: string, body: string][] = [
  ['responses', '{"prompt":{"id":"pmpt_1"}}'],
  ['responses', '{ "input":"x", "prompt" : {"id":"pmpt_1","version":"2"} }'],
  ['chat/completions', '{"models":["a/b","c/d"],"messages":[]}'],
  ['chat/completions', '{"preset":"writer","messages":[]}'],
  ['chat/completions', '{"model":null,"models":["a/b"]}'],
  ['completions', '{"models":["a/b"],"model":""}'],
  ['messages', '{"models":["a/b"],"max_tokens":1}']
]
const added: [path: string, body: string, upstream: string][] = [
  ['completions', '{"prompt":"Once upon a time"}', '{"prompt":"Once upon a time","model":"c"}'],
  ['responses', '{"prompt":null,"input":"x"}', '{"prompt":null,"input":"x","model":"c"}'],
  ['chat/completions', '{"messages":[{"models":["x"],"preset":"y"}]}', '{"messages":[{"models":["x"],"preset":"y"}],"model":"c"}'],
  ['images/generations', '{"prompt":"a cat"}', '{"prompt":"a cat","model":"i"}'],
  ['messages/count_tokens', '{"messages":[]}', '{"messages":[],"model":"c"}']
]

t.test('nothing is added where the model is named otherwise', async t => {
  const service = await startService(t)
  const { url } = await startGateway(t, { INFERENCE_SERVICE_URL: service.url, DEFAULT_CHAT_MODEL: 'c', DEFAULT_IMAGE_MODEL: 'i' })
  for (const [path, body] of untouched) {
    t.equal((await fetch(`${url}/v1/${path}`, post(body))).status, 200)
    t.equal(service.received.at(-1)!.body.toString(), body, `${path} ${body}`)
  }
  for (const [path, body, upstream] of added) {
    t.equal((await fetch(`${url}/v1/${path}`, post(body))).status, 200)
    t.equal(service.received.at(-1)!.body.toString(), upstream, `${path} ${body}`)
  }
})

t.test('under MODEL_POLICY=catalog these are refused, because nobody can check them', async t => {
  const service = await startService(t)
  const { url } = await startGateway(t, { INFERENCE_SERVICE_URL: service.url, MODEL_POLICY: 'catalog' })
  for (const [path, body] of [...untouched.slice(0, 5), ['chat/completions', '{"model":"gemini-1.5-flash","models":["secret"]}'] as const]) {
    const response = await fetch(`${url}/v1/${path}`, post(body))
    t.equal(response.status, 404, body)
    t.match(await response.json(), { error: { code: 'model_not_found', param: /models|preset|prompt/ } })
  }
  t.equal(service.received.length, 0)
})
