// A body on disk, by itself: it can be read as often as a connect is tried, by its
// own file handle only, and its file is gone when the body is disposed of.
import t from 'tap'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import { SpoolSpace, type Spool } from '../../src/body/spool.ts'
import { eventually } from '../helper.ts'

const BODY = Buffer.alloc(300_000, 'the body ')

async function spooled (space = new SpoolSpace(undefined, 1e9)): Promise<Spool> {
  const spool = await space.create()
  for (let at = 0; at < BODY.length; at += 65536) await spool.append([BODY.subarray(at, at + 65536)])
  return spool
}

/** Descriptors of stored bodies. */
const descriptors = () => readdirSync('/proc/self/fd').filter(fd => {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).includes('model-gateway-')
  } catch {
    return false
  }
}).length
const linux = { skip: process.platform !== 'linux' && 'descriptors are read from /proc' }

t.test('it can be read any number of times, also after a reader that was ended early', async t => {
  const spool = await spooled()
  t.teardown(() => spool.dispose())
  t.equal(spool.length, BODY.length)
  const unread = spool.read(undefined)
  unread.destroy()
  const begun = spool.read(undefined)
  await once(begun, 'data')
  begun.destroy()
  await new Promise(resolve => setTimeout(resolve, 20))
  // They would take the descriptor's number, if it were free.
  const others = Array.from({ length: 10 }, () => openSync('/dev/zero', 'r'))
  t.teardown(() => { for (const other of others) closeSync(other) })
  t.ok(BODY.equals(await buffer(spool.read(undefined))))
  t.ok(BODY.equals(await buffer(spool.read(undefined))))
})

t.test('an edit at any place, also where two reads meet', async t => {
  const spool = await spooled()
  t.teardown(() => spool.dispose())
  for (const position of [0, 1, 65535, 65536, 65537, BODY.length - 4, BODY.length]) {
    for (const removed of position + 4 <= BODY.length ? [0, 4] : [0]) {
      const edit = { position, removed, inserted: Buffer.from('"model"') }
      const expected = Buffer.concat([BODY.subarray(0, position), edit.inserted, BODY.subarray(position + removed)])
      t.ok(expected.equals(await buffer(spool.read(edit))), `${removed} bytes at ${position}`)
    }
  }
})

t.test('disposed of, it holds no descriptor, and what still reads it gets an error', linux, async t => {
  // Those of the tests before are closed a moment later.
  await eventually(() => descriptors() === 0)
  const space = new SpoolSpace(undefined, 1e9)
  const spool = await spooled(space)
  t.equal(descriptors(), 1)
  t.same([space.files, space.bytes], [1, BODY.length])
  const reader = spool.read(undefined)
  await once(reader, 'data')
  spool.dispose()
  spool.dispose()
  await t.rejects(buffer(reader))
  await eventually(() => descriptors() === 0)
  t.same([space.files, space.bytes], [0, 0])
})

t.test('past the limit of all files, and in a folder that cannot be used, an error says so', async t => {
  const space = new SpoolSpace(undefined, 400_000)
  const first = await spooled(space)
  const second = await space.create()
  await t.rejects(second.append([BODY]), { code: 'storage_full', message: /limit/ })
  first.dispose()
  await second.append([BODY])
  second.dispose()
  t.equal(space.bytes, 0)
  await t.rejects(new SpoolSpace('/no/such/folder', 1e9).create(), { code: 'storage_full', message: /folder does not exist/ })
})
