// `Expect: 100-continue` (curl sends it on uploads over 1 MB) gets its 100 and then
// success; any other expectation cannot be met. Never is it the upstream's affair.
import t from 'tap'
import { backAtRest, isError, parseAnswer, rawClient, send, startRig } from './helper.ts'

const FILE = 5_000_000
const BODY = Buffer.concat([
  Buffer.from('--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'),
  Buffer.alloc(FILE, 7),
  Buffer.from('\r\n--b--\r\n')
])
const head = (expect: string, length: number, rest = '') => `POST /v1/images/edits HTTP/1.1\r\nhost: g\r\nconnection: close\r\ncontent-type: multipart/form-data; boundary=b\r\nexpect: ${expect}\r\ncontent-length: ${length}\r\n${rest}\r\n`

for (const value of ['100-continue', '100-Continue']) {
  t.test(`5 MB of multipart with Expect: ${value}`, async t => {
    const rig = await startRig(t, socket => {
      const timer = setInterval(() => {
        if (!rig.upstream.received[0]!.includes('--b--')) return
        clearInterval(timer)
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
      }, 10)
    })
    const client = await rawClient(rig.gateway.port, head(value, BODY.length))
    await client.until(/^HTTP\/1.1 100 Continue\r\n\r\n$/)
    client.socket.write(BODY)
    await client.closed
    t.match(parseAnswer(parseAnswer(client.text()).rest), { status: 200, body: 'ok', complete: true })
    const received = rig.upstream.received[0]!
    t.notMatch(received.subarray(0, 2000).toString('latin1'), /expect/i)
    t.ok(received.includes(BODY), 'every byte arrived')
    await backAtRest(rig)
  })
}

t.test('a body over the limit is refused before it is asked for', async t => {
  const rig = await startRig(t, () => {}, { BODY_LIMIT: '1000' })
  const answer = await send(rig.gateway.port, head('100-continue', BODY.length))
  isError(t, answer, 413)
  t.equal(answer.headers.connection, 'close')
  await backAtRest(rig)
})

for (const [name, text] of Object.entries({ 'an unlisted path': head('100-continue', 10).replace('/images/edits', '/unlisted'), 'no key': head('100-continue', 10) })) {
  t.test(`${name} is refused before the body is asked for`, async t => {
    const rig = await startRig(t, () => {}, name === 'no key' ? { API_KEYS: 'k' } : {})
    isError(t, await send(rig.gateway.port, text), name === 'no key' ? 401 : 404)
    await backAtRest(rig)
  })
}

for (const value of ['200-ok', 'something']) {
  t.test(`Expect: ${value}`, async t => {
    const rig = await startRig(t, () => {})
    const answer = await send(rig.gateway.port, Buffer.concat([Buffer.from(head(value, 2)), Buffer.from('{}')]))
    isError(t, answer, 417, 'expectation_failed')
    t.equal(answer.headers.connection, 'close')
    t.equal(rig.upstream.hits(), 0)
    await backAtRest(rig)
  })
}

t.test('an expectation behind another request waits for its turn', async t => {
  const rig = await startRig(t, socket => setTimeout(() => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfirst'), 100))
  const first = 'POST /v1/embeddings HTTP/1.1\r\nhost: g\r\ncontent-length: 2\r\n\r\n{}'
  const answer = await send(rig.gateway.port, first + head('something', 0))
  t.match(answer, { status: 200, body: 'first' })
  isError(t, parseAnswer(answer.rest), 417)
  await backAtRest(rig)
})
