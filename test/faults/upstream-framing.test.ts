// Answers that are not sound HTTP are not passed on: a lenient proxy in front of
// a strict client, or the other way round, is how answers get mixed up between
// users. What is sound but unusual passes.
import t from 'tap'
import { backAtRest, isError, lastPost, post, rawClient, send, startRig, startTableRig } from './helper.ts'

const OK = 'HTTP/1.1 200 OK\r\n'
const refused: Record<string, string> = {
  'no HTTP at all': 'SSH-2.0-OpenSSH_9.6\r\n',
  'binary noise': '\x00\x01\xff\xfe\r\n\r\n',
  'another protocol version': 'HTTP/3.1 200 OK\r\ncontent-length: 0\r\n\r\n',
  'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'length and chunked': `${OK}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  'chunked and length': `${OK}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  'two lengths that differ': `${OK}content-length: 5\r\ncontent-length: 6\r\n\r\nhello!`,
  'two lengths that agree': `${OK}content-length: 5\r\ncontent-length: 5\r\n\r\nhello`,
  'a list of lengths': `${OK}content-length: 5, 5\r\n\r\nhello`,
  'a negative length': `${OK}content-length: -1\r\n\r\n`,
  'a length in hexadecimal': `${OK}content-length: 0x5\r\n\r\nhello`,
  'a length with a sign': `${OK}content-length: +5\r\n\r\nhello`,
  'an empty length': `${OK}content-length: \r\n\r\nhello`,
  'a length past 64 bits': `${OK}content-length: 99999999999999999999\r\n\r\nhello`,
  'a folded header': `${OK}x-a: 1\r\n 2\r\ncontent-length: 2\r\n\r\n{}`,
  'a space before the colon': `${OK}content-length : 2\r\n\r\n{}`,
  'a header without a name': `${OK}: 1\r\ncontent-length: 2\r\n\r\n{}`,
  'a header without a colon': `${OK}oops\r\ncontent-length: 2\r\n\r\n{}`,
  'a NUL in a value': `${OK}x-a: a\x00b\r\ncontent-length: 2\r\n\r\n{}`,
  'a control byte in a value': `${OK}x-a: a\x01b\r\ncontent-length: 2\r\n\r\n{}`,
  'a DEL in a value': `${OK}x-a: a\x7fb\r\ncontent-length: 2\r\n\r\n{}`,
  'a bare CR in a value': `${OK}x-a: a\rset-cookie: b\r\ncontent-length: 2\r\n\r\n{}`,
  'a space in a name': `${OK}x a: b\r\ncontent-length: 2\r\n\r\n{}`,
  'a status of two digits': 'HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n',
  'a status of four digits': 'HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n',
  'status 000': 'HTTP/1.1 000 No\r\ncontent-length: 0\r\n\r\n',
  'status 099': 'HTTP/1.1 099 No\r\ncontent-length: 0\r\n\r\n',
  'status 600': 'HTTP/1.1 600 No\r\ncontent-length: 0\r\n\r\n',
  'status 999': 'HTTP/1.1 999 No\r\ncontent-length: 0\r\n\r\n',
  'status 101 without its headers': 'HTTP/1.1 101 Switching Protocols\r\n\r\n',
  'a head without end': `${OK}${'x-filler: 0123456789012345678901234567890123456789\r\n'.repeat(3000)}`,
  'a control byte in the status message': 'HTTP/1.1 200 O\x01K\r\ncontent-length: 5\r\n\r\nhello',
  'DEL in the status message': 'HTTP/1.1 200 O\x7fK\r\ncontent-length: 5\r\n\r\nhello',
  'chunked, but not last, in two headers': `${OK}transfer-encoding: chunked\r\ntransfer-encoding: gzip\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  'chunked, but not last': `${OK}transfer-encoding: chunked, gzip\r\n\r\n5\r\nhello\r\n0\r\n\r\n`
}
// undici tells this one as a connection that broke.
const UPGRADE = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'
t.test('refused', async t => {
  const rig = await startTableRig(t, { UPSTREAM_FIRST_BYTE_TIMEOUT: '3' })
  const cases = [...Object.entries(refused).map(row => [...row, 'upstream_invalid_response']), ['status 101, which nobody asked for', UPGRADE, 'upstream_failed']]
  for (const [name, bytes, code] of cases) {
    t.comment(name)
    rig.behave(socket => socket.write(Buffer.from(bytes!, 'latin1')))
    isError(t, await send(rig.gateway.port, lastPost('/v1/chat/completions')), 502, code)
    t.equal(rig.hits(), 1)
    await backAtRest(rig)
  }
})

// The head was sound, so it is out already.
const broken: Record<string, string> = {
  'a chunk size that is none': `${OK}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n`,
  'a chunk longer than it says': `${OK}transfer-encoding: chunked\r\n\r\n5\r\nhello, world\r\n0\r\n\r\n`,
  'a chunk size past 64 bits': `${OK}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\nfffffffffffffffff\r\nx`
}
t.test('broken off', async t => {
  const rig = await startTableRig(t)
  for (const [name, bytes] of Object.entries(broken)) {
    rig.behave(socket => socket.write(bytes))
    const answer = await send(rig.gateway.port, lastPost('/v1/chat/completions'))
    t.notOk(answer.status === 200 && answer.complete, name)
    await backAtRest(rig)
  }
})

const passed: Record<string, { bytes: string, status?: number }> = {
  'a head of 20 KB': { bytes: `${OK}x-big: ${'x'.repeat(20_000)}\r\ncontent-length: 5\r\n\r\nhello` },
  'no reason phrase': { bytes: 'HTTP/1.1 200 \r\ncontent-length: 5\r\n\r\nhello' },
  'neither phrase nor space': { bytes: 'HTTP/1.1 200\r\ncontent-length: 5\r\n\r\nhello' },
  'a phrase in UTF-8': { bytes: Buffer.from('HTTP/1.1 200 成功\r\ncontent-length: 5\r\n\r\nhello').toString('latin1') },
  'a value in UTF-8': { bytes: Buffer.from(`${OK}x-name: größe 成\r\ncontent-length: 5\r\n\r\nhello`).toString('latin1') },
  'a server of HTTP/1.0': { bytes: 'HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello' },
  'chunk extensions': { bytes: `${OK}transfer-encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n` },
  'chunked in capitals': { bytes: `${OK}Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n` },
  'an unregistered status': { bytes: 'HTTP/1.1 299 Odd\r\ncontent-length: 5\r\n\r\nhello', status: 299 },
  'a status of a proxy before it': { bytes: 'HTTP/1.1 529 Overloaded\r\ncontent-length: 5\r\n\r\nhello', status: 529 }
}
t.test('passed', async t => {
  const rig = await startTableRig(t)
  for (const [name, { bytes, status = 200 }] of Object.entries(passed)) {
    rig.behave(socket => socket.write(Buffer.from(bytes, 'latin1')))
    t.match(await send(rig.gateway.port, lastPost('/v1/chat/completions')), { status, complete: true, body: 'hello' }, name)
    await backAtRest(rig)
  }
})

// Bytes after the end of an answer would be taken for the next one's.
const POISON = 'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison'
for (const delay of [0, 20]) {
  t.test(`bytes after the length, ${delay} ms later`, async t => {
    const rig = await startRig(t, (socket, hit) => {
      const own = `${OK}content-length: 4\r\n\r\nown${hit}`
      if (delay === 0) socket.write(own + POISON)
      else {
        socket.write(own)
        setTimeout(() => socket.write(POISON), delay)
      }
    })
    const client = await rawClient(rig.gateway.port)
    for (let i = 0; i < 5; i++) {
      client.socket.write(post('/v1/chat/completions', '{}'))
      await client.until(new RegExp(`own${i}`))
      await new Promise(resolve => setTimeout(resolve, 2 * delay))
    }
    t.notMatch(client.text(), /poison/)
    t.equal(rig.upstream.sockets.length, 5, 'none is used again')
    client.socket.destroy()
    await backAtRest(rig)
  })
}
t.test('bytes after the length, with requests waiting for the connection', async t => {
  const rig = await startRig(t, (socket, hit) => socket.write(`${OK}content-length: 4\r\n\r\nown${hit}${POISON}`), { MAX_CONCURRENT_REQUESTS: '1' })
  const answers = await Promise.all(Array.from({ length: 8 }, () => send(rig.gateway.port, lastPost('/v1/chat/completions'))))
  t.same(answers.map(answer => answer.body).sort(), Array.from({ length: 8 }, (_, i) => `own${i}`))
  await backAtRest(rig)
})
