// MODEL_POLICY=catalog: a model that is not an active one of the endpoint's type
// is refused before anything is sent upstream, wherever its name stands.
import t from 'tap'
import { startFakeInference } from '../fake-inference.ts'
import { atRest, startGateway } from '../helper.ts'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// A folder of its own for the files of large bodies.
process.env.TMPDIR = mkdtempSync(join(tmpdir(), 'policy-bodies-'))

const JSON_TYPE = { 'content-type': 'application/json' }
const TEXT = 'x'.repeat(3_000_000)

t.test('MODEL_POLICY=catalog', async t => {
  const upstream = await startFakeInference()
  t.teardown(() => upstream.close())
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: upstream.url, MODEL_POLICY: 'catalog', PROXY_EXTRA_PATHS: 'score' })
  const send = (path: string, body: string, type = 'application/json') => fetch(`${gateway.url}/v1/${path}`, { method: 'POST', body, headers: { 'content-type': type } })

  const taken: Record<string, [path: string, body: string]> = {
    named: ['chat/completions', '{"model":"gemini-1.5-pro"}'],
    default: ['chat/completions', '{}'],
    'last in a large body': ['chat/completions', `{"text":"${TEXT}","model":"gemini-1.5-pro"}`],
    'first in a large body': ['chat/completions', `{"model":"gemini-1.5-pro","text":"${TEXT}"}`],
    'default in a large body': ['images/generations', `{"prompt":"${TEXT}"}`],
    'an endpoint without a type': ['embeddings', '{"model":"sdxl","input":"x"}'],
    'an endpoint without a type, no model named': ['embeddings', '{"input":"x"}']
  }
  for (const [name, [path, body]] of Object.entries(taken)) {
    t.test(`taken: ${name}`, async t => {
      const response = await send(path, body)
      t.equal(response.status, 200)
      await response.arrayBuffer()
      const hit = upstream.requests.at(-1)!
      t.ok(hit.body.includes(body.slice(0, -1)))
      t.equal(hit.headers['content-length'], String(hit.body.length))
    })
  }

  const refused: Record<string, [path: string, body: string]> = {
    unknown: ['chat/completions', '{"model":"gpt-x"}'],
    'of another type': ['images/generations', '{"model":"gemini-1.5-pro"}'],
    'not a string': ['chat/completions', '{"model":["gemini-1.5-pro"]}'],
    'last in a large body': ['chat/completions', `{"text":"${TEXT}","model":"gpt-x"}`],
    'first in a large body': ['chat/completions', `{"model":"gpt-x","text":"${TEXT}"}`],
    'none named, no default': ['audio/speech', '{"input":"x"}'],
    'an endpoint without a type': ['embeddings', '{"model":"gpt-x","input":"x"}'],
    'an operator\'s own path': ['score', '{"model":"gpt-x","input":"x"}'],
    'a long name that begins like a known one': ['chat/completions', `{"model":"${[...'gemini-1.5-pro'].map(letter => `\\u00${letter.charCodeAt(0).toString(16)}`).join('')}${'x'.repeat(1100)}"}`],
    'a long name, escaped up to the limit': ['chat/completions', `{"model":"${'\\u0061'.repeat(170)}suffix"}`]
  }
  for (const [name, [path, body]] of Object.entries(refused)) {
    t.test(`refused: ${name}`, async t => {
      const hits = upstream.requests.length
      const response = await send(path, body)
      t.equal(response.status, 404)
      t.match(await response.json(), { error: { type: 'invalid_request_error', param: 'model', code: 'model_not_found' } })
      t.equal(upstream.requests.length, hits)
    })
  }

  // What is one model here and another to the upstream.
  const allowed = '{"model":"gemini-1.5-pro","x":"&model=gpt-x&y="}'
  const ambiguous: Record<string, [path: string, body: string, type: string, status: number]> = {
    'a form': ['chat/completions', allowed, 'application/x-www-form-urlencoded', 415],
    'a multipart type that is no form': ['chat/completions', allowed, 'multipart/mixed; boundary=b', 415],
    text: ['chat/completions', allowed, 'text/plain', 415],
    'JSON in utf-7': ['chat/completions', allowed, 'application/json; charset=utf-7', 415],
    'JSON of two charsets': ['chat/completions', allowed, 'application/json; charset=utf-8; charset=utf-16', 415],
    'a form in utf-7': ['images/edits', '--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nsdxl\r\n--b--\r\n', 'multipart/form-data; boundary=b; charset=utf-7', 415],
    'a form in a charset in pieces': ['images/edits', '--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nsdxl\r\n--b--\r\n', 'multipart/form-data; boundary=b; charset*0=cp0; charset*1=37', 415],
    'a key in other letters': ['chat/completions', '{"model":"gemini-1.5-pro","MODEL":"gpt-x"}', 'application/json', 400],
    'a key in other, escaped letters': ['chat/completions', '{"model":"gemini-1.5-pro","\\u004dodel":"gpt-x"}', 'application/json', 400],
    'no key but one in other letters': ['chat/completions', '{"Model":"gpt-x"}', 'application/json', 400]
  }
  for (const [name, [path, body, type, status]] of Object.entries(ambiguous)) {
    t.test(`refused: ${name}`, async t => {
      const hits = upstream.requests.length
      const response = await send(path, body, type)
      t.equal(response.status, status)
      t.match(await response.json(), { error: { code: status === 415 ? 'unsupported_media_type' : 'duplicate_model' } })
      t.equal(upstream.requests.length, hits)
    })
  }

  // Ollama reads every body as JSON, and no further than the end of the first value.
  const form = '--b\r\ncontent-disposition: form-data; name="model"\r\n\r\ngemini-1.5-pro\r\n--b--\r\n'
  for (const preamble of ['{"model":"gpt-x"}\r\n', '\r\n {"model":"gpt-x"}\r\n']) {
    t.test(`refused: a form behind ${JSON.stringify(preamble)}`, async t => {
      const hits = upstream.requests.length
      const response = await send('chat/completions', preamble + form, 'multipart/form-data; boundary=b')
      t.equal(response.status, 400)
      t.match(await response.json(), { error: { code: 'invalid_multipart' } })
      t.equal(upstream.requests.length, hits)
    })
  }

  // Many services read a body as JSON whatever type it has.
  const named = '{"model":"gpt-x","input":"x"}'
  const disguised: Record<string, [body: string | Buffer, type: string | undefined]> = {
    'without a type': [Buffer.from(named), undefined],
    'as text': [named, 'text/plain'],
    'as a form': [` \r\n${named}`, 'application/x-www-form-urlencoded'],
    'as bytes, behind a byte order mark': [`\ufeff${named}`, 'application/octet-stream'],
    'in UTF-16': [Buffer.from(`\ufeff${named}`, 'utf16le'), 'text/plain; charset=utf-16'],
    'as multipart that is no form': [named, 'multipart/mixed; boundary=b']
  }
  for (const [name, [body, type]] of Object.entries(disguised)) {
    t.test(`refused at an operator's own path: JSON ${name}`, async t => {
      const hits = upstream.requests.length
      const response = await fetch(`${gateway.url}/v1/score`, { method: 'POST', body, ...(type !== undefined && { headers: { 'content-type': type } }) })
      t.equal(response.status, 415)
      t.match(await response.json(), { error: { code: 'unsupported_media_type' } })
      t.equal(upstream.requests.length, hits)
    })
  }

  for (const body of ['raw \0 bytes {', '  \n', '["{"]']) {
    t.test(`taken at an operator's own path: ${JSON.stringify(body)} as bytes`, async t => {
      await (await send('score', body, 'application/octet-stream')).arrayBuffer()
      t.equal(upstream.requests.at(-1)!.body.toString(), body)
    })
  }

  const further: Record<string, [path: string, key: string, more: string]> = {
    'beside a stored prompt': ['responses', 'models', ',"prompt":{"id":"p"}'],
    'beside a stored prompt, a preset': ['responses', 'preset', ',"prompt":{"id":"p"}'],
    'for an endpoint without a type': ['embeddings', 'models', ''],
    'at an operator\'s own path': ['score', 'models', ''],
    'as LiteLLM\'s fallbacks': ['chat/completions', 'fallbacks', '']
  }
  for (const [name, [path, key, more]] of Object.entries(further)) {
    t.test(`refused: further models ${name}`, async t => {
      const hits = upstream.requests.length
      const response = await send(path, `{"model":"gemini-1.5-pro","${key}":["gpt-x"]${more}}`)
      t.equal(response.status, 404)
      t.match(await response.json(), { error: { param: key, code: 'model_not_found' } })
      t.equal(upstream.requests.length, hits)
    })
  }

  const plain: Record<string, [path: string, body: string, type: string]> = {
    'JSON of UTF-8': ['chat/completions', '{"model":"gemini-1.5-pro"}', 'application/json; charset=UTF-8'],
    'a stored prompt with a model': ['responses', '{"model":"gemini-1.5-pro","models":null,"prompt":{"id":"p"}}', 'application/json'],
    'a kind of JSON': ['chat/completions', '{"model":"gemini-1.5-pro"}', 'application/vnd.x+json'],
    'a nested key in other letters': ['chat/completions', '{"model":"gemini-1.5-pro","x":{"Model":1,"models":1}}', 'application/json'],
    'a form behind an empty line': ['chat/completions', `\r\n${form}`, 'multipart/form-data; boundary=b'],
    'a form in UTF-8': ['images/edits', '--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nsdxl\r\n--b--\r\n', 'multipart/form-data; boundary=b; charset=utf-8']
  }
  for (const [name, [path, body, type]] of Object.entries(plain)) {
    t.test(`taken: ${name}`, async t => {
      const response = await send(path, body, type)
      t.equal(response.status, 200)
      await response.arrayBuffer()
      t.equal(upstream.requests.at(-1)!.body.toString(), body)
    })
  }

  // openai-python sends this type with every request.
  for (const [method, path] of [['GET', 'responses/r'], ['DELETE', 'responses/r'], ['POST', 'responses/r/cancel'], ['GET', 'score']] as const) {
    t.test(`taken: ${method} ${path} with a type and no body`, async t => {
      const response = await fetch(`${gateway.url}/v1/${path}`, { method, headers: JSON_TYPE })
      await response.arrayBuffer()
      t.match(upstream.requests.at(-1), { method, url: `/v1/${path}` })
      t.equal(upstream.requests.at(-1)!.body.length, 0)
    })
  }

  t.test('no file is left behind', async t => {
    await atRest(gateway)
    t.same(readdirSync(tmpdir()).filter(name => name.startsWith('model-gateway-')), [])
  })
})

t.test('a model that an admin switches off is refused from the next request on', async t => {
  const upstream = await startFakeInference()
  const folder = mkdtempSync(join(tmpdir(), 'policy-'))
  t.teardown(async () => {
    await upstream.close()
    rmSync(folder, { recursive: true })
  })
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: upstream.url, MODEL_POLICY: 'catalog', CATALOG_SOURCE: 'database', DATABASE_URL: `sqlite:${folder}/catalog.db`, CATALOG_SNAPSHOT_FILE: `${folder}/snapshot.json`, ADMIN_API_KEY: 'admin' })
  const chat = async () => (await fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', headers: JSON_TYPE, body: '{"model":"gemini-1.5-pro"}' })).status
  const activate = async (isActive: boolean) => {
    const response = await fetch(`${gateway.url}/admin/models/gemini-1.5-pro`, { method: 'PATCH', headers: { authorization: 'Bearer admin', 'content-type': 'application/merge-patch+json' }, body: JSON.stringify({ isActive }) })
    t.equal(response.status, 200)
  }
  t.equal(await chat(), 200)
  await activate(false)
  t.equal(await chat(), 404)
  await activate(true)
  t.equal(await chat(), 200)
})

t.test('MODEL_POLICY=open: any model goes upstream', async t => {
  const upstream = await startFakeInference()
  t.teardown(() => upstream.close())
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: upstream.url })
  t.equal((await fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', body: '{"model":"gpt-x"}' })).status, 200)
})
