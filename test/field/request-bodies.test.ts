// What real clients send as a body: long conversations with `messages` before
// `model`, image edits as JSON or as a form, a byte order mark from Windows tools.
// Several servers (MLX, and others) read nothing but Content-Length.
import t from 'tap'
import { startGateway } from '../helper.ts'
import { post, startService } from './helper.ts'

t.test('a long conversation that names its model last goes upstream with its length', async t => {
  const service = await startService(t)
  const { url } = await startGateway(t, { INFERENCE_SERVICE_URL: service.url })
  for (const size of [200_000, 300_000, 3_000_000]) {
    const body = JSON.stringify({ messages: [{ role: 'user', content: 'x'.repeat(size) }], model: 'm' })
    await (await fetch(`${url}/v1/chat/completions`, post(body))).arrayBuffer()
    const { headers, body: received } = service.received.at(-1)!
    t.equal(headers['content-length'], String(body.length))
    t.equal(headers['transfer-encoding'], undefined)
    t.ok(received.equals(Buffer.from(body)))
  }
})

t.test('image edits: the Content-Type decides how the body is read', async t => {
  const service = await startService(t)
  const { url } = await startGateway(t, { INFERENCE_SERVICE_URL: service.url, DEFAULT_IMAGE_MODEL: 'i' })
  await fetch(`${url}/v1/images/edits`, post('{"prompt":"hat","images":[{"image_url":"https://a.example/x.png"}]}'))
  t.equal(service.received.at(-1)!.body.toString(), '{"prompt":"hat","images":[{"image_url":"https://a.example/x.png"}],"model":"i"}')
  const form = new FormData()
  form.set('prompt', 'hat')
  form.append('image[]', new Blob(['png'], { type: 'image/png' }), 'a.png')
  await fetch(`${url}/v1/images/edits`, { method: 'POST', body: form })
  t.match(service.received.at(-1)!.body.toString(), /name="model"\r\n\r\ni\r\n--/)
  t.match(service.received.at(-1)!.headers['content-type'], /^multipart\/form-data/)
  const audio = await fetch(`${url}/v1/audio/transcriptions`, post('{"model":"whisper-1","url":"https://a.example/x.wav"}'))
  t.equal(audio.status, 200)
})

t.test('a byte order mark is let through unchanged', async t => {
  const service = await startService(t)
  const { url } = await startGateway(t, { INFERENCE_SERVICE_URL: service.url, DEFAULT_CHAT_MODEL: 'c' })
  await fetch(`${url}/v1/chat/completions`, post('\ufeff{"messages":[]}'))
  t.equal(service.received.at(-1)!.body.toString(), '\ufeff{"messages":[],"model":"c"}')
})

t.test('a request head of 24 KB, as agents with large tokens send it', async t => {
  const service = await startService(t)
  const { url } = await startGateway(t, { INFERENCE_SERVICE_URL: service.url })
  const response = await fetch(`${url}/v1/chat/completions`, post('{}', { 'x-large': 'x'.repeat(24_000) }))
  t.equal(response.status, 200)
  t.equal(service.received[0]!.headers['x-large']!.length, 24_000)
})
