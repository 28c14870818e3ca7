// One error shape, whichever door an error leaves by: Fastify's, Node's parser,
// its limits, its own short answers. A client's parser of errors meets nothing else.
import t from 'tap'
import { backAtRest, eventually, isError, lastPost, parseAnswer, rawClient, send, startRig } from './helper.ts'

const line = (start: string, headers = 'host: g\r\nconnection: close\r\n') => `${start} HTTP/1.1\r\n${headers}\r\n`
const doors: Record<string, { bytes: string | Buffer, status: number, allow?: RegExp, close?: boolean }> = {
  'an unknown route': { bytes: line('GET /nothing'), status: 404 },
  'an unknown route of another method': { bytes: line('DELETE /nothing'), status: 404 },
  'a route of another method': { bytes: line('DELETE /v1/models'), status: 405, allow: /GET/ },
  'a proxied route by GET': { bytes: line('GET /v1/chat/completions'), status: 405, allow: /POST/ },
  'a proxied route by PUT': { bytes: line('PUT /openai/v1/chat/completions', 'host: g\r\nconnection: close\r\ncontent-length: 2\r\n') + '{}', status: 405, allow: /POST/ },
  'a wildcard route of another method': { bytes: line('DELETE /v1/models/x'), status: 405, allow: /GET/ },
  'TRACE, which would echo keys': { bytes: line('TRACE /v1/models'), status: 405, allow: /GET/ },
  'a rare method': { bytes: line('PROPFIND /v1/models'), status: 405, allow: /GET/ },
  'an unknown method': { bytes: line('FETCH /v1/models'), status: 400, close: true },
  CONNECT: { bytes: 'CONNECT other.example:443 HTTP/1.1\r\nhost: other.example:443\r\n\r\n', status: 405, allow: /GET, POST/, close: true },
  'a URL that cannot be decoded': { bytes: line('GET /v1/models/%zz'), status: 400 },
  'a URL too long for a part': { bytes: line(`GET /v1/models/${'x'.repeat(5000)}`), status: 404 },
  'a URL too long for anyone': { bytes: line(`GET /v1/models/${'x'.repeat(40_000)}`), status: 431, close: true },
  'headers too large': { bytes: line('GET /v1/models', `host: g\r\nx-big: ${'x'.repeat(40_000)}\r\n`), status: 431, close: true },
  'headers far too large': { bytes: line('GET /v1/models', `host: g\r\nx-big: ${'x'.repeat(2_000_000)}\r\n`), status: 431, close: true },
  'too many headers': { bytes: line('GET /v1/models', `host: g\r\n${'x: y\r\n'.repeat(50_000)}`), status: 431, close: true },
  'no Host': { bytes: line('GET /v1/models', ''), status: 400, close: true },
  'a wrong query': { bytes: line('GET /v1/models?type=x'), status: 400 },
  'no HTTP': { bytes: 'hello\r\n\r\n', status: 400, close: true },
  'HTTP/0.9': { bytes: 'GET /v1/models\r\n\r\n', status: 400, close: true },
  'HTTP/2 without asking': { bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00', status: 400, close: true },
  'an unknown version': { bytes: 'GET /v1/models HTTP/9.9\r\nhost: g\r\n\r\n', status: 400, close: true },
  'a TLS handshake': { bytes: Buffer.from('16030100a5010000a10303', 'hex'), status: 400, close: true },
  'an unmet expectation': { bytes: line('POST /v1/chat/completions', 'host: g\r\nexpect: magic\r\ncontent-length: 0\r\n'), status: 417, close: true },
  'a body that is no JSON': { bytes: lastPost('/v1/chat/completions', 'nonsense'), status: 400 },
  'a body that is none': { bytes: lastPost('/v1/chat/completions', ''), status: 400 },
  'a POST without length': { bytes: line('POST /v1/chat/completions'), status: 400 },
  'a multipart type that is no form': { bytes: lastPost('/v1/images/edits', '{}', { 'content-type': 'multipart/mixed; boundary=b' }), status: 415 },
  'a multipart body without boundary': { bytes: lastPost('/v1/images/edits', 'x', { 'content-type': 'multipart/form-data' }), status: 400 },
  'an unknown encoding': { bytes: lastPost('/v1/chat/completions', 'x', { 'content-encoding': 'compress' }), status: 415 },
  'a wrong encoding': { bytes: lastPost('/v1/chat/completions', 'x', { 'content-encoding': 'gzip' }), status: 400 }
}
t.test('every door', async t => {
  const rig = await startRig(t, socket => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'))
  for (const [name, { bytes, status, allow, close = false }] of Object.entries(doors)) {
    t.comment(name)
    const answer = await send(rig.gateway.port, bytes)
    isError(t, answer, status)
    if (allow !== undefined) t.match(answer.headers.allow, allow)
    if (close) t.equal(answer.headers.connection, 'close')
    t.equal(answer.headers['x-content-type-options'], 'nosniff')
    t.match(answer.headers['x-request-id'], /^[\da-f-]{36}$/)
    t.equal(answer.rest, '', 'one answer')
  }
  t.equal(rig.upstream.hits(), 0)
  await backAtRest(rig)
})

t.test('HEAD has the headers of an error and no body', async t => {
  const rig = await startRig(t, () => {})
  const { text } = await send(rig.gateway.port, line('HEAD /nothing'))
  t.match(text, /^HTTP\/1.1 404 [^]*content-type: application\/json[^]*\r\n\r\n$/)
})

t.test('a parse error in the middle of an answer does not end up in its body', async t => {
  const rig = await startRig(t, socket => {
    socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n')
  })
  for (const bytes of ['NONSENSE\r\n\r\n', 'CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\n\r\n']) {
    const client = await rawClient(rig.gateway.port, lastPost('/v1/chat/completions'))
    await client.until(/first/)
    client.socket.write(bytes)
    await client.closed
    const answer = parseAnswer(client.text())
    t.match(answer, { status: 200, body: 'first', complete: false })
    t.notMatch(client.text(), /"error"/)
  }
  await backAtRest(rig)
})

t.test('errors do not end a connection that is sound', async t => {
  const rig = await startRig(t, socket => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'))
  const client = await rawClient(rig.gateway.port)
  for (const request of ['GET /nothing', 'DELETE /v1/models', 'GET /v1/models/%zz', 'GET /v1/../x', 'GET /v1/models?type=x']) client.socket.write(line(request, 'host: g\r\n'))
  client.socket.write('GET /healthz HTTP/1.1\r\nhost: g\r\n\r\n')
  await eventually(() => client.text().includes('{"status":"ok"}'))
  t.same(client.text().match(/HTTP\/1.1 \d+/g)!.map(status => status.slice(9)), ['404', '405', '400', '400', '400', '200'])
  client.socket.destroy()
  await backAtRest(rig)
})
