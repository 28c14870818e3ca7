// A compressed body is decoded where the gateway has to look for `model`, within
// the body limit; elsewhere it passes as it is.
import t from 'tap'
import { constants, brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { startFakeInference } from '../fake-inference.ts'
import { atRest, startGateway } from '../helper.ts'

const codings = { gzip: gzipSync, 'x-gzip': gzipSync, br: brotliCompressSync, deflate: deflateSync, zstd: zstdCompressSync }

t.test('compressed requests', async t => {
  const upstream = await startFakeInference()
  t.teardown(() => upstream.close())
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: upstream.url, DEFAULT_CHAT_MODEL: 'c', BODY_LIMIT: '1000000' })
  const send = (path: string, body: Buffer, coding: string) => fetch(`${gateway.url}/v1/${path}`, { method: 'POST', headers: { 'content-type': 'application/json', 'content-encoding': coding }, body })

  for (const [coding, compress] of Object.entries(codings)) {
    t.test(coding, async t => {
      const response = await send('chat/completions', compress('{"a":1}'), coding)
      t.equal(response.status, 200)
      await response.arrayBuffer()
      const hit = upstream.requests.at(-1)!
      t.equal(hit.body.toString(), '{"a":1,"model":"c"}')
      t.equal(hit.headers['content-encoding'], undefined)
      t.equal(hit.headers['content-length'], '19')
    })
    t.test(`${coding}, a large body`, async t => {
      const body = JSON.stringify({ text: 'x'.repeat(500_000) })
      await (await send('chat/completions', compress(body), coding)).arrayBuffer()
      t.equal(upstream.requests.at(-1)!.body.toString(), `${body.slice(0, -1)},"model":"c"}`)
    })
    t.test(`${coding}, a bomb`, async t => {
      const response = await send('chat/completions', compress(Buffer.alloc(30_000_000, '{"a":1}       ')), coding)
      t.match(await response.json(), { error: { code: /body_too_large|invalid_json/ } })
      await atRest(gateway)
    })
  }

  t.test('a bomb inside a string is refused for its size', async t => {
    const response = await send('chat/completions', gzipSync(`{"a":"${'x'.repeat(30_000_000)}"}`), 'gzip')
    t.equal(response.status, 413)
    t.match(await response.json(), { error: { code: 'body_too_large' } })
    await atRest(gateway)
    t.notOk(upstream.requests.some(request => request.body.length > 1_000_000), 'nothing went upstream')
  })
  t.test('broken and cut data', async t => {
    for (const body of [Buffer.from('not gzip'), gzipSync('{"a":1}').subarray(0, 15)]) {
      const response = await send('chat/completions', body, 'gzip')
      t.equal(response.status, 400)
      t.match(await response.json(), { error: { code: 'invalid_encoding' } })
    }
  })
  t.test('zstd with a window of more than 8 MB, which a decoder would set aside for a few bytes', async t => {
    const large = await startGateway(t, { INFERENCE_SERVICE_URL: upstream.url, DEFAULT_CHAT_MODEL: 'c' })
    const body = Buffer.from(JSON.stringify({ text: 'x'.repeat(9_000_000) }))
    for (const [windowLog, status] of [[23, 200], [24, 400]] as const) {
      const response = await fetch(`${large.url}/v1/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json', 'content-encoding': 'zstd' }, body: zstdCompressSync(body, { params: { [constants.ZSTD_c_windowLog]: windowLog } }) })
      t.equal(response.status, status, `2^${windowLog}`)
      if (status === 400) t.match(await response.json(), { error: { code: 'invalid_encoding' } })
      else await response.arrayBuffer()
    }
  })
  t.test('an unknown coding', async t => {
    for (const coding of ['compress', 'constructor', 'gzip, gzip']) {
      const response = await send('chat/completions', Buffer.from('{}'), coding)
      t.equal(response.status, 415)
      t.match(await response.json(), { error: { code: 'unsupported_media_type' } })
    }
  })
  t.test('an endpoint without a default passes it on', async t => {
    const body = gzipSync('{"input":"x"}')
    await (await send('embeddings', body, 'gzip')).arrayBuffer()
    const hit = upstream.requests.at(-1)!
    t.same(hit.body, body)
    t.equal(hit.headers['content-encoding'], 'gzip')
  })
})
