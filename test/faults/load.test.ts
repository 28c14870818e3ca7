// Past the cap, requests wait in a bounded, timed, first-come-first-served queue;
// past the queue they are refused at once, with what an SDK needs to try again.
import t from 'tap'
import type { Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { Admission } from '../../src/proxy/admission.ts'
import { backAtRest, clock, eventually, isError, lastPost, rawClient, send, startRig, type Answer, type Test } from './helper.ts'

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'

function isOverloaded (t: Test, answer: Answer): void {
  isError(t, answer, 503, 'overloaded')
  t.match(answer.headers['retry-after'], /^[1-9]\d*$/)
  t.equal(answer.headers['x-should-retry'], 'true')
}

t.test('cap + 1 without a queue: refused within 100 ms', async t => {
  const rig = await startRig(t, () => {}, { MAX_CONCURRENT_REQUESTS: '2', MAX_QUEUED_REQUESTS: '0' })
  const running = [await rawClient(rig.gateway.port, lastPost('/v1/chat/completions')), await rawClient(rig.gateway.port, lastPost('/v1/chat/completions'))]
  await eventually(() => rig.upstream.hits() === 2)
  const start = clock()
  const answer = await send(rig.gateway.port, lastPost('/v1/chat/completions'))
  t.ok(clock() - start < 100)
  isOverloaded(t, answer)
  t.equal(rig.upstream.hits(), 2)
  for (const client of running) client.socket.destroy()
  await backAtRest(rig)
})

t.test('a full queue refuses at once, large uploads too, and what waits is served in its order', async t => {
  const held: Socket[] = []
  const rig = await startRig(t, socket => { held.push(socket) }, { MAX_CONCURRENT_REQUESTS: '1', MAX_QUEUED_REQUESTS: '3' })
  const waiting: Promise<Answer>[] = []
  for (let i = 0; i < 4; i++) {
    waiting.push(send(rig.gateway.port, lastPost('/v1/chat/completions', `{"n":"turn ${i}"}`)))
    await eventually(() => rig.gateway.app.forwarder.underWay === i + 1)
  }
  for (const body of ['{}', `{"text":"${'x'.repeat(1_000_000)}"}`]) {
    const start = clock()
    const client = await rawClient(rig.gateway.port, lastPost('/v1/chat/completions', body))
    await client.until(/\}\}$/)
    t.ok(clock() - start < 100, `refused after ${Math.round(clock() - start)} ms`)
    await client.closed
  }
  for (let i = 0; i < 4; i++) {
    await eventually(() => held.length === i + 1)
    t.match(Buffer.concat(rig.upstream.received).toString(), new RegExp(`turn ${i}`))
    t.notMatch(Buffer.concat(rig.upstream.received).toString(), new RegExp(`turn ${i + 1}`))
    held[i]!.write(OK)
  }
  t.same((await Promise.all(waiting)).map(answer => answer.status), [200, 200, 200, 200])
  await backAtRest(rig)
})

t.test('the wait in the queue ends at its limit', async t => {
  const rig = await startRig(t, () => {}, { MAX_CONCURRENT_REQUESTS: '1', QUEUE_TIMEOUT: '0.3' })
  const running = await rawClient(rig.gateway.port, lastPost('/v1/chat/completions'))
  await eventually(() => rig.upstream.hits() === 1)
  const start = performance.now()
  const answer = await send(rig.gateway.port, lastPost('/v1/chat/completions'))
  const took = performance.now() - start
  t.ok(took >= 299 && took < 1300, `after ${Math.round(took)} ms`)
  isOverloaded(t, answer)
  t.equal(rig.upstream.hits(), 1)
  running.socket.destroy()
  await backAtRest(rig)
})

t.test('a slot that is free just under the limit is taken', async t => {
  const rig = await startRig(t, (socket, hit) => setTimeout(() => socket.write(OK), hit === 0 ? 300 : 0), { MAX_CONCURRENT_REQUESTS: '1', QUEUE_TIMEOUT: '1' })
  const answers = await Promise.all([send(rig.gateway.port, lastPost('/v1/chat/completions')), send(rig.gateway.port, lastPost('/v1/chat/completions'))])
  t.same(answers.map(answer => answer.status), [200, 200])
  await backAtRest(rig)
})

for (const [name, body] of Object.entries({ held: '{}', streamed: `{"text":"${'x'.repeat(90_000)}"}` })) {
  t.test(`a queued client that leaves frees its place (${name} body)`, async t => {
    const rig = await startRig(t, () => {}, { MAX_CONCURRENT_REQUESTS: '1', MAX_QUEUED_REQUESTS: '1' })
    const running = await rawClient(rig.gateway.port, lastPost('/v1/chat/completions'))
    await eventually(() => rig.upstream.hits() === 1)
    const leaving = await rawClient(rig.gateway.port, lastPost('/v1/chat/completions', body))
    await eventually(() => rig.gateway.app.forwarder.underWay === 2)
    leaving.socket.destroy()
    await eventually(() => rig.gateway.app.forwarder.underWay === 1)
    const next = await rawClient(rig.gateway.port, lastPost('/v1/chat/completions'))
    await eventually(() => rig.gateway.app.forwarder.underWay === 2)
    t.equal(next.text(), '')
    t.equal(rig.upstream.hits(), 1)
    next.socket.destroy()
    running.socket.destroy()
    await backAtRest(rig)
  })
}

t.test('a failing upstream frees the slots of all that it fails', async t => {
  const rig = await startRig(t, socket => socket.resetAndDestroy(), { MAX_CONCURRENT_REQUESTS: '2', MAX_QUEUED_REQUESTS: '100' })
  const answers = await Promise.all(Array.from({ length: 50 }, () => send(rig.gateway.port, lastPost('/v1/chat/completions'))))
  t.ok(answers.every(answer => answer.status === 502))
  t.equal(rig.upstream.hits(), 50)
  await backAtRest(rig)
})

t.test('a slot that is given back in the moment in which a queued request leaves goes to the next', async t => {
  const admission = new Admission({ maxConcurrent: 1, maxQueued: 2, queueTimeout: 60_000 })
  const { signal } = new AbortController()
  await admission.acquire(signal)
  const leaving = new AbortController()
  const left = admission.acquire(leaving.signal).then(() => false, () => true)
  let taken = false
  admission.acquire(signal).then(() => { taken = true })
  leaving.abort(new Error('left'))
  admission.release()
  await setImmediate()
  t.equal(taken, true)
  t.equal(await left, true)
  admission.release()
  t.same([admission.inFlight, admission.queued], [0, 0])
})
