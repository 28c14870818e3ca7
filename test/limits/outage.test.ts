// A single late answer concerns its own request only. A service that failed several
// times in a row, or closed the connection, is asked again by one request in a
// while; the others do without it at once. A slow turn of this process is not the
// service's delay.
import t from 'tap'
import { Outage } from '../../src/limits/outage.ts'
import { within } from '../../src/limits/within.ts'

t.test('after a closed connection one asks in each pause, and each change is told once', async t => {
  const told: (string | undefined)[] = []
  const outage = new Outage(error => told.push(error?.message))
  t.same([outage.mayAsk(0), outage.mayAsk(0)], [true, true])
  outage.lost(new Error('first'), 0)
  outage.lost(new Error('second'), 1)
  t.same([0, 100, 250, 251, 252, 500, 502].map(now => outage.mayAsk(now)), [false, false, false, true, false, false, true])
  t.equal(outage.isDown, true)
  outage.answered()
  outage.answered()
  t.same([outage.isDown, outage.mayAsk(503), outage.mayAsk(503)], [false, true, true])
  t.same(told, ['first', undefined])
})

t.test('late answers: one is no outage, nor are those of questions under way together; three in a row are', async t => {
  const told: (string | undefined)[] = []
  const outage = new Outage(error => told.push(error?.message))
  const late = (asked: number, now: number) => {
    outage.failed(new Error(`late at ${now}`), asked, now)
    return outage.isDown
  }
  t.same([late(0, 40), late(10, 50), late(39, 79), late(41, 81)], [false, false, false, false], 'two delays')
  t.equal(outage.mayAsk(82), true, 'the next request asks')
  outage.answered()
  t.same([late(90, 130), late(131, 171)], [false, false], 'an answer between them begins the count anew')
  t.equal(late(172, 212), true)
  t.same([212, 461, 462, 463].map(now => outage.mayAsk(now)), [false, false, true, false])
  t.equal(late(462, 502), true)
  t.same([712, 751, 752].map(now => outage.mayAsk(now)), [false, false, true], 'the pause begins when the question fails')
  outage.answered()
  t.equal(late(760, 800), false)
  t.same(told, ['late at 212', undefined])
})

t.test('within: the answer, the error, or an end to the wait', async t => {
  t.equal(await within(1000, Promise.resolve('answer')), 'answer')
  await t.rejects(within(1000, Promise.reject(new Error('broken'))), /broken/)
  await t.rejects(within(5, new Promise(() => {})), /no answer within 5 ms/)
})

t.test('within: an answer that arrived while this process was busy is in time', async t => {
  const { promise, resolve } = Promise.withResolvers<string>()
  const answer = within(20, promise)
  // What has arrived is read between the timers and setImmediate.
  setTimeout(() => setImmediate(() => resolve('answer')), 1)
  const until = performance.now() + 60
  while (performance.now() < until);
  t.equal(await answer, 'answer')
})
