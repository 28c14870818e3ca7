// Requests whose end two parsers could see in different places are refused and
// their connection closed: what follows could be a request that only one of the
// two has seen (RFC 9112 section 11.2). Nothing of them goes upstream.
import t from 'tap'
import { backAtRest, isError, send, startRig } from './helper.ts'

const POST = 'POST /v1/chat/completions HTTP/1.1\r\n'
const HEAD = `${POST}host: g\r\ncontent-type: application/json\r\n`
const SMUGGLED = `${HEAD}content-length: 17\r\n\r\n{"smuggled":true}`
const CHUNKED = '2\r\n{}\r\n0\r\n\r\n'
const TE = 'transfer-encoding: chunked\r\n'

const requests: Record<string, string> = {
  'CL.TE': `${HEAD}content-length: 6\r\n${TE}\r\n0\r\n\r\nG`,
  'TE.CL': `${HEAD}${TE}content-length: 4\r\n\r\n${CHUNKED}`,
  'CL.TE with the right length': `${HEAD}content-length: ${CHUNKED.length}\r\n${TE}\r\n${CHUNKED}`,
  'TE.TE, an unknown coding last': `${HEAD}${TE}transfer-encoding: x\r\n\r\n${CHUNKED}`,
  'TE.TE, chunked twice': `${HEAD}${TE}${TE}\r\n${CHUNKED}`,
  'TE.TE, chunked twice in one line': `${HEAD}transfer-encoding: chunked, chunked\r\n\r\n${CHUNKED}`,
  'TE.TE, identity first': `${HEAD}transfer-encoding: identity\r\n${TE}\r\n${CHUNKED}`,
  'TE.TE, chunked not last': `${HEAD}transfer-encoding: chunked, identity\r\n\r\n${CHUNKED}`,
  'another coding before chunked': `${HEAD}transfer-encoding: gzip, chunked\r\n\r\n${CHUNKED}`,
  'an unknown coding': `${HEAD}transfer-encoding: xchunked\r\n\r\n${CHUNKED}`,
  'a coding with a parameter': `${HEAD}transfer-encoding: chunked;q=1\r\n\r\n${CHUNKED}`,
  'a coding in quotes': `${HEAD}transfer-encoding: "chunked"\r\n\r\n${CHUNKED}`,
  'an empty coding': `${HEAD}transfer-encoding: \r\n\r\n${CHUNKED}`,
  'a coding after a vertical tab': `${HEAD}transfer-encoding: \x0bchunked\r\n\r\n${CHUNKED}`,
  'a space before the colon of a coding': `${HEAD}transfer-encoding : chunked\r\n\r\n${CHUNKED}`,
  'a space before the name of a coding': `${POST} transfer-encoding: chunked\r\nhost: g\r\n\r\n${CHUNKED}`,
  'a coding in HTTP/1.0': `POST /v1/chat/completions HTTP/1.0\r\nhost: g\r\n${TE}\r\n${CHUNKED}`,
  'two lengths that differ': `${HEAD}content-length: 2\r\ncontent-length: 3\r\n\r\n{} `,
  'two lengths that agree': `${HEAD}content-length: 2\r\ncontent-length: 2\r\n\r\n{}`,
  'a list of lengths': `${HEAD}content-length: 2, 2\r\n\r\n{}`,
  'a length with a sign': `${HEAD}content-length: +2\r\n\r\n{}`,
  'a negative length': `${HEAD}content-length: -2\r\n\r\n{}`,
  'a length in hexadecimal': `${HEAD}content-length: 0x2\r\n\r\n{}`,
  'a length with a space inside': `${HEAD}content-length: 2 2\r\n\r\n{}`,
  'a length past 64 bits': `${HEAD}content-length: 18446744073709551618\r\n\r\n{}`,
  'an empty length': `${HEAD}content-length: \r\n\r\n{}`,
  'a folded header': `${HEAD}x-a: 1\r\n content-length: 2\r\n\r\n{}`,
  'a folded coding': `${HEAD}transfer-encoding:\r\n chunked\r\n\r\n${CHUNKED}`,
  'a bare CR in a value': `${HEAD}x-a: b\rcontent-length: 2\r\n\r\n{}`,
  'a bare CR for a line end': `${POST}host: g\rcontent-length: 2\r\r{}`,
  'a bare LF in the head': `${POST}host: g\ncontent-length: 2\r\n\r\n{}`,
  'bare LFs only': `${HEAD}content-length: 2\r\n\r\n{}`.replaceAll('\r', ''),
  'a bare LF before the body': `${HEAD}content-length: 2\r\n\n{}`,
  'a NUL in a name': `${HEAD}content\x00-length: 2\r\n\r\n{}`,
  'a NUL in a value': `${HEAD}x-a: a\x00b\r\ncontent-length: 2\r\n\r\n{}`,
  'a header without a colon': `${HEAD}content-length 2\r\n\r\n{}`,
  'a header without a name': `${HEAD}: 2\r\n\r\n`,
  'a chunk size in words': `${HEAD}${TE}\r\nxyz\r\n{}\r\n0\r\n\r\n`,
  'a chunk size with a sign': `${HEAD}${TE}\r\n+2\r\n{}\r\n0\r\n\r\n`,
  'a chunk size with a prefix': `${HEAD}${TE}\r\n0x2\r\n{}\r\n0\r\n\r\n`,
  'a chunk size with spaces': `${HEAD}${TE}\r\n2 \r\n{}\r\n0\r\n\r\n`,
  'a chunk size past 64 bits': `${HEAD}${TE}\r\n10000000000000002\r\n{}\r\n0\r\n\r\n`,
  'a chunk longer than it says': `${HEAD}${TE}\r\n2\r\n{}{}\r\n0\r\n\r\n`,
  'a chunk that ends in a bare LF': `${HEAD}${TE}\r\n2\r\n{}\n0\r\n\r\n`,
  'a chunk size that ends in a bare LF': `${HEAD}${TE}\r\n2\n{}\r\n0\r\n\r\n`,
  'a chunk extension with a bare LF': `${HEAD}${TE}\r\n2;a\nb\r\n{}\r\n0\r\n\r\n`,
  'a bare CR after a chunk size': `${HEAD}${TE}\r\n2\r{}\r\n0\r\n\r\n`,
  'two hosts': `${POST}host: g\r\nhost: h\r\ncontent-length: 2\r\n\r\n{}`,
  'a host with a path': `${POST}host: g/v1\r\ncontent-length: 2\r\n\r\n{}`,
  'a host with a user': `${POST}host: a@g\r\ncontent-length: 2\r\n\r\n{}`,
  'a host list': `${POST}host: g, h\r\ncontent-length: 2\r\n\r\n{}`,
  'a space in the path': 'POST /v1/chat /completions HTTP/1.1\r\nhost: g\r\ncontent-length: 2\r\n\r\n{}',
  'a tab after the method': 'POST\t/v1/chat/completions HTTP/1.1\r\nhost: g\r\ncontent-length: 2\r\n\r\n{}'
}
for (const path of ['/v1/chat/completions', '/v1/models', '/healthz']) {
  t.test(path, async t => {
    const rig = await startRig(t, socket => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'))
    for (const [name, bytes] of Object.entries(requests)) {
      // Only the chat route reads chunks; the others must refuse what stands in the head.
      if (path !== '/v1/chat/completions' && /chunk (size|longer|that|ext)|after a chunk|CL.TE$/.test(name)) continue
      const own = path === '/v1/chat/completions' ? bytes : bytes.replace('POST /v1/chat/completions', `GET ${path}`)
      t.comment(name)
      const answer = await send(rig.gateway.port, Buffer.from(own + SMUGGLED, 'latin1'), 2000)
      isError(t, answer, 400)
      t.equal(answer.headers.connection, 'close')
      t.equal(answer.rest, '', 'one answer')
      t.notMatch(Buffer.concat(rig.upstream.received).toString(), /smuggled/)
    }
    t.equal(rig.upstream.hits(), 0)
    await backAtRest(rig)
  })
}
