// Answers that the gateway has no business with pass as they are, once: refusals
// with Retry-After (an SDK waits as told), bodiless answers, trailers.
import t from 'tap'
import { backAtRest, lastPost, parseAnswer, rawClient, send, startRig } from './helper.ts'

const JSON_BODY = '{"error":{"message":"slow down","upstream":1}}'
for (const status of ['429 Too Many Requests', '503 Service Unavailable']) {
  for (const after of ['7', 'Fri, 31 Dec 2027 23:59:59 GMT']) {
    t.test(`${status} with Retry-After: ${after}`, async t => {
      const rig = await startRig(t, socket => socket.write(`HTTP/1.1 ${status}\r\ncontent-type: application/json\r\nretry-after: ${after}\r\nx-ratelimit-remaining: 0\r\ncontent-length: ${JSON_BODY.length}\r\n\r\n${JSON_BODY}`))
      const answer = await send(rig.gateway.port, lastPost('/v1/chat/completions'))
      t.match(answer, { status: Number(status.slice(0, 3)), complete: true, body: JSON_BODY, headers: { 'retry-after': after, 'x-ratelimit-remaining': '0', 'content-type': 'application/json' } })
      t.equal(rig.upstream.hits(), 1)
      await backAtRest(rig)
    })
  }
}

const EXTRA = { PROXY_EXTRA_PATHS: 'score' }
const bodiless: Record<string, { method: string, answer: string, status: number, length?: string }> = {
  204: { method: 'POST', answer: 'HTTP/1.1 204 No Content\r\n\r\n', status: 204 },
  '204 with a length': { method: 'POST', answer: 'HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n', status: 204 },
  '204 with a body': { method: 'POST', answer: 'HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\nhello', status: 204 },
  '204, chunked': { method: 'POST', answer: 'HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n', status: 204 },
  304: { method: 'GET', answer: 'HTTP/1.1 304 Not Modified\r\netag: "a"\r\ncontent-length: 500\r\n\r\n', status: 304, length: '500' },
  '304, chunked': { method: 'GET', answer: 'HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n', status: 304 },
  'HEAD with a length': { method: 'HEAD', answer: 'HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n', status: 200, length: '500' },
  'HEAD, chunked': { method: 'HEAD', answer: 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n', status: 200 },
  'HEAD without framing': { method: 'HEAD', answer: 'HTTP/1.1 200 OK\r\n\r\n', status: 200 },
  'HEAD, 404': { method: 'HEAD', answer: 'HTTP/1.1 404 Not Found\r\ncontent-length: 10\r\n\r\n', status: 404, length: '10' }
}
for (const [name, { method, answer, status, length }] of Object.entries(bodiless)) {
  t.test(`without a body: ${name}`, async t => {
    const rig = await startRig(t, socket => socket.write(answer), EXTRA)
    const client = await rawClient(rig.gateway.port)
    // Twice on one connection: a wrong idea of the body's end would show in the second.
    for (const turn of [1, 2]) {
      client.socket.write(`${method} /v1/score HTTP/1.1\r\nhost: g\r\n${method === 'POST' ? 'content-length: 0\r\n' : ''}\r\n`)
      await client.until(new RegExp(`(HTTP/1.1 ${status}[^]*){${turn}}\r\n\r\n`))
    }
    t.equal(client.text().split('HTTP/1.1').length - 1, 2)
    t.match(client.text(), /\r\n\r\n$/, 'no byte of a body')
    const { headers } = parseAnswer(client.text())
    t.equal(headers['content-length'], length)
    client.socket.destroy()
    await backAtRest(rig)
  })
}

t.test('a body to HEAD, which is none, is not the next answer', async t => {
  const rig = await startRig(t, socket => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\noops'), EXTRA)
  t.match(await send(rig.gateway.port, 'HEAD /v1/score HTTP/1.1\r\nhost: g\r\nconnection: close\r\n\r\n'), { status: 200, text: /\r\n\r\n$/ })
  t.match(await send(rig.gateway.port, lastPost('/v1/score')), { status: 200, body: 'oops' })
  await backAtRest(rig)
})

t.test('a GET with a body, where any is passed on', async t => {
  const rig = await startRig(t, socket => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'), EXTRA)
  const get = 'GET /v1/score HTTP/1.1\r\nhost: g\r\nconnection: close\r\n'
  t.match(await send(rig.gateway.port, `${get}content-length: 7\r\n\r\n{"a":1}`), { status: 200, body: 'ok' })
  t.match(rig.upstream.received[0]!.toString(), /\r\ncontent-length: 7\r\n\r\n\{"a":1\}$/)
  t.match(await send(rig.gateway.port, `${get}\r\n`), { status: 200, body: 'ok' })
  t.notMatch(rig.upstream.received[0]!.toString().split('{"a":1}')[1]!, /content-length|transfer-encoding/)
  await backAtRest(rig)
})

t.test('trailers pass, but none that would speak of this connection', async t => {
  const rig = await startRig(t, socket => socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-usage\r\n\r\n5\r\nhello\r\n0\r\nx-usage: 12\r\nset-cookie: a=b\r\ntransfer-encoding: gzip\r\nconnection: close\r\n\r\n'))
  const answer = await send(rig.gateway.port, lastPost('/v1/chat/completions'))
  t.match(answer, { status: 200, complete: true, body: 'hello' })
  t.match(answer.text, /\r\n0\r\nx-usage: 12\r\n\r\n$/)
  await backAtRest(rig)
})

t.test('each byte of a header is the same byte to the client, in UTF-8 and in Latin-1', async t => {
  const named = 'content-disposition: attachment; filename="\u00e4\u00bd\u00a0.wav"\r\nx-latin: caf\u00e9 \u00ff\r\n'
  for (const framing of ['content-length: 2\r\n\r\nok', 'transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n']) {
    const rig = await startRig(t, socket => socket.write(`HTTP/1.1 200 OK\r\n${named}${framing}`, 'latin1'))
    t.match(await send(rig.gateway.port, lastPost('/v1/chat/completions')), { status: 200, body: 'ok', complete: true, headers: { 'content-disposition': 'attachment; filename="\u00e4\u00bd\u00a0.wav"', 'x-latin': 'caf\u00e9 \u00ff' } })
    await backAtRest(rig)
  }
})

t.test('headers that have the name of a property pass', async t => {
  const rig = await startRig(t, socket => socket.write('HTTP/1.1 200 OK\r\nconstructor: a\r\n__proto__: b\r\ncontent-length: 2\r\n\r\nok'))
  t.match((await send(rig.gateway.port, lastPost('/v1/chat/completions'))).text, /\r\nconstructor: a\r\n__proto__: b\r\n/)
  await backAtRest(rig)
})

t.test('redirects are the client\'s to follow', async t => {
  const rig = await startRig(t, socket => socket.write('HTTP/1.1 307 Temporary Redirect\r\nlocation: /v1/elsewhere\r\ncontent-length: 0\r\n\r\n'))
  t.match(await send(rig.gateway.port, lastPost('/v1/chat/completions')), { status: 307, headers: { location: '/v1/elsewhere' } })
  t.equal(rig.upstream.hits(), 1)
  await backAtRest(rig)
})
