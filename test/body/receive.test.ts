// A body is stored as it arrives: what a chunk costs counts, and not only its
// content, because a client can send a body in chunks of one byte.
import t from 'tap'
import { PassThrough, type Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { receiveBody, type RequestBody } from '../../src/body/receive.ts'
import { SpoolSpace } from '../../src/body/spool.ts'
import { collectGarbage } from '../garbage.ts'
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
  for (const size of [1000, 200_000]) {
    const { source, space, body } = receive()
    source.end(Buffer.alloc(size, 'x'))
    const stored = await body
    t.equal(space.files, 0)
    t.ok((await sent(stored)).equals(Buffer.alloc(size, 'x')))
  }
})

t.test('a body is kept while no byte of it is sent, and no longer', async t => {
  const { source, body } = receive()
  const memory = fill(source)
  const stored = await body
  collectGarbage()
  t.ok(memory.deref(), 'kept')
  const unread = stored.read() as Readable
  unread.destroy()
  t.equal((await sent(stored)).length, 200_000, 'a connect has failed: it is read again')
  collectGarbage()
  t.notOk(memory.deref(), 'not kept until the answer is complete')
  t.ok(source.listenerCount('error') > 0, 'the request and its listeners are still there')
})

/** Writes a body and keeps only a weak reference to its memory. */
function fill (source: PassThrough): WeakRef<ArrayBufferLike> {
  const chunk = Buffer.alloc(200_000, 'x')
  source.end(chunk)
  return new WeakRef(chunk.buffer)
}

async function sent (body: RequestBody): Promise<Buffer> {
  const bytes = body.read()
  return Buffer.isBuffer(bytes) ? bytes : await buffer(bytes)
}

t.test('a source that is gone, or a signal that has aborted, is told at once', async t => {
  const source = new PassThrough()
  source.destroy()
  const gone = { source, wire: source, scanner: undefined, limit: 1e9, space: new SpoolSpace(undefined, 1e9) }
  await t.rejects(receiveBody({ ...gone, signal: new AbortController().signal }))
  const { source: open } = receive()
  await t.rejects(receiveBody({ ...gone, source: open, wire: open, signal: AbortSignal.abort(new Error('left')) }), { message: 'left' })
})
