// A body on disk, by itself: readable as often as a request is tried, by nobody
// else's descriptor, and gone when it is let go.
import t from 'tap'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import { Spool } from '../../src/body/spool.ts'
import { eventually } from '../helper.ts'

const BODY = Buffer.alloc(300_000, 'the body ')

async function spooled (): Promise<Spool> {
  const spool = new Spool(() => {}, error => { throw error })
  for (let at = 0; at < BODY.length; at += 65536) spool.write(BODY.subarray(at, at + 65536))
  await new Promise<void>(resolve => spool.end(resolve))
  return spool
}

const descriptors = () => readdirSync('/proc/self/fd').length
const linux = { skip: process.platform !== 'linux' && 'descriptors are read from /proc' }

t.test('it can be read any number of times, also after a reader that was ended early', async t => {
  const spool = await spooled()
  t.teardown(() => spool.dispose())
  t.equal(spool.length, BODY.length)
  const unread = spool.read()
  unread.destroy()
  const begun = spool.read()
  await once(begun, 'data')
  begun.destroy()
  await new Promise(resolve => setTimeout(resolve, 20))
  // They would take the descriptor's number, were it free.
  const others = Array.from({ length: 10 }, () => openSync('/dev/zero', 'r'))
  t.teardown(() => { for (const other of others) closeSync(other) })
  t.ok(BODY.equals(await buffer(spool.read())))
  t.ok(BODY.equals(await buffer(spool.read())))
})

t.test('let go, it holds no descriptor, and what still reads it gets an error', linux, async t => {
  const before = descriptors()
  const spool = await spooled()
  t.equal(descriptors(), before + 1)
  const reader = spool.read()
  await once(reader, 'data')
  spool.dispose()
  spool.dispose()
  await t.rejects(buffer(reader))
  await eventually(() => descriptors() === before)
})

t.test('let go before it is open, or while it is written, it holds no descriptor', linux, async () => {
  const before = descriptors()
  const early = new Spool(() => {}, error => { throw error })
  early.dispose()
  const written = new Spool(() => {}, error => { throw error })
  written.write(Buffer.alloc(20_000_000))
  await eventually(() => descriptors() > before)
  written.dispose()
  await eventually(() => descriptors() === before)
})

t.test('a disk that fails is told', async t => {
  const { TMPDIR } = process.env
  process.env.TMPDIR = '/no/such/folder'
  t.teardown(() => { if (TMPDIR === undefined) delete process.env.TMPDIR; else process.env.TMPDIR = TMPDIR })
  const error = await new Promise<NodeJS.ErrnoException>(resolve => { new Spool(() => {}, resolve).write(BODY) })
  t.equal(error.code, 'ENOENT')
})
