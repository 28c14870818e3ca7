// Headers that speak of one connection only, and those that a Connection header
// lists, go neither way (RFC 9110 section 7.6.1); all others pass as they are.
import t from 'tap'
import { backAtRest, lastPost, send, startRig } from './helper.ts'

const HOP_BY_HOP: Record<string, string> = {
  'Keep-Alive': 'timeout=5',
  'Proxy-Connection': 'keep-alive',
  'Proxy-Authorization': 'Basic c2VjcmV0',
  'Proxy-Authenticate': 'Basic',
  'Proxy-Authentication-Info': 'x',
  TE: 'trailers, gzip',
  Trailer: 'x-sum',
  Upgrade: 'h2c',
  'HTTP2-Settings': 'AAMAAABkAAQ'
}

t.test('to the upstream', async t => {
  const rig = await startRig(t, socket => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'))
  const answer = await send(rig.gateway.port, lastPost('/v1/chat/completions', '{}', {
    ...HOP_BY_HOP,
    connection: 'close, X-Listed, X-Also-Listed , "odd", TE',
    'x-listed': 'a',
    'X-Also-Listed': 'b',
    'x-kept': 'c',
    'OpenAI-Beta': 'assistants=v2'
  }))
  t.equal(answer.status, 200)
  const head = Buffer.concat(rig.upstream.received).toString('latin1').split('\r\n\r\n')[0]!
  for (const name of [...Object.keys(HOP_BY_HOP), 'x-listed', 'x-also-listed']) t.notMatch(head, new RegExp(`^${name}:`, 'im'), name)
  t.equal(head.match(/^connection:/gim)!.length, 1)
  t.match(head, /^x-kept: c$/m)
  t.match(head, /^OpenAI-Beta: assistants=v2$/m)
  await backAtRest(rig)
})

for (const [name, value] of Object.entries({ ...HOP_BY_HOP, Upgrade: '', 'Keep-Alive': '' })) {
  t.test(`a bare ${name}`, async t => {
    const rig = await startRig(t, socket => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'))
    t.equal((await send(rig.gateway.port, lastPost('/v1/chat/completions', '{}', { [name]: value }))).status, 200)
    await backAtRest(rig)
  })
}

t.test('Connection cannot remove what the gateway adds, nor the framing', async t => {
  const rig = await startRig(t, socket => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'), { INFERENCE_API_KEY: 'sk-secret-upstream' })
  const listed = 'close, authorization, content-length, content-type, host, x-forwarded-for, x-request-id, via, transfer-encoding'
  t.equal((await send(rig.gateway.port, lastPost('/v1/chat/completions', '{"a":1}', { connection: listed }))).status, 200)
  const head = Buffer.concat(rig.upstream.received).toString('latin1')
  for (const name of ['authorization: Bearer sk-secret-upstream', 'content-length: \\d+', 'x-forwarded-for: 127.0.0.1', 'x-request-id: .+', 'via: .+', 'host: 127']) t.match(head, new RegExp(name, 'i'))
  await backAtRest(rig)
})

t.test('to the client', async t => {
  const rig = await startRig(t, socket => socket.write([
    'HTTP/1.1 200 OK', ...Object.entries(HOP_BY_HOP).map(([name, value]) => `${name}: ${value}`), 'Connection: X-Secret, keep-alive', 'Connection: x-also', 'X-Secret: upstream-secret', 'x-also: upstream-secret',
    'x-kept: c', 'Set-Cookie: a=b', 'set-cookie: c=d', 'access-control-allow-origin: https://upstream.example', 'x-request-id: upstream-secret', 'content-length: 2', '', 'ok'
  ].join('\r\n')))
  const { status, headers, text } = await send(rig.gateway.port, lastPost('/v1/chat/completions'))
  t.equal(status, 200)
  for (const name of [...Object.keys(HOP_BY_HOP), 'x-secret', 'x-also', 'access-control-allow-origin']) t.equal(headers[name.toLowerCase()], undefined, name)
  t.notMatch(text, /upstream-secret/)
  t.match(headers, { 'x-kept': 'c', 'set-cookie': undefined, connection: 'close' })
  await backAtRest(rig)
})

t.test('Connection cannot remove the length of an answer: cut short, it looks so to an HTTP/1.0 client, too', async t => {
  const rig = await startRig(t, socket => { socket.end('HTTP/1.1 200 OK\r\nconnection: content-length\r\ncontent-length: 10\r\n\r\nhello') })
  const answer = await send(rig.gateway.port, 'POST /v1/chat/completions HTTP/1.0\r\ncontent-length: 2\r\n\r\n{}')
  t.match(answer, { status: 200, complete: false, headers: { 'content-length': '10' }, body: 'hello' })
  await backAtRest(rig)
})

t.test('chunked both ways: each side frames its own', async t => {
  const rig = await startRig(t, socket => {
    const timer = setInterval(() => {
      if (!rig.upstream.received[0]!.includes('}')) return
      clearInterval(timer)
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\n\r\n')
    }, 5)
  })
  const answer = await send(rig.gateway.port, 'POST /v1/chat/completions HTTP/1.1\r\nhost: g\r\nconnection: close\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n5;ext="a;b"\r\n{"mod\r\n5\r\nel":"\r\n3\r\nm"}\r\n0\r\nx-sum: 1\r\n\r\n')
  t.match(answer, { status: 200, body: 'ok', complete: true })
  const [head, body] = rig.upstream.received[0]!.toString().split('\r\n\r\n')
  t.match(head, /content-length: 13(\r|$)/)
  t.notMatch(head, /transfer-encoding|trailer|x-sum/i)
  t.equal(body, '{"model":"m"}')
  await backAtRest(rig)
})
