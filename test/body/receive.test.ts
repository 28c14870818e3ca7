// A body is stored as it arrives: what a chunk costs counts, and not only its
// content, because a client can send a body in chunks of one byte.
import t from 'tap'
import { PassThrough } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { receiveBody } from '../../src/body/receive.ts'
import { SpoolSpace } from '../../src/body/spool.ts'
import { eventually } from '../helper.ts'

function receive () {
  const source = new PassThrough()
  const space = new SpoolSpace(undefined, 1e9)
  const stop = new AbortController()
  const body = receiveBody({ source, wire: source, scanner: undefined, limit: 1e9, space, signal: stop.signal })
  return { source, space, stop, body }
}

t.test('a body in chunks of one byte goes to disk after a thousand of them', async t => {
  const { source, space, body } = receive()
  for (let i = 0; i < 3000; i++) source.write(Buffer.from('x'))
  await eventually(() => space.bytes > 0)
  source.end()
  const stored = await body
  t.equal(stored.length, 3000)
  t.ok((await buffer(stored.read() as NodeJS.ReadableStream)).equals(Buffer.alloc(3000, 'x')))
  stored.dispose()
  t.same([space.files, space.bytes], [0, 0])
})

t.test('a body up to the limit of memory stays there', async t => {
  const { source, space, body } = receive()
  source.end(Buffer.alloc(200_000, 'x'))
  const stored = await body
  t.ok(Buffer.isBuffer(stored.read()))
  t.equal(space.files, 0)
})

t.test('a source that is gone, or a signal that has aborted, is told at once', async t => {
  const source = new PassThrough()
  source.destroy()
  const gone = { source, wire: source, scanner: undefined, limit: 1e9, space: new SpoolSpace(undefined, 1e9) }
  await t.rejects(receiveBody({ ...gone, signal: new AbortController().signal }))
  const { source: open } = receive()
  await t.rejects(receiveBody({ ...gone, source: open, wire: open, signal: AbortSignal.abort(new Error('left')) }), { message: 'left' })
})
