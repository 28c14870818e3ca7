// A service that failed is asked again by one request in a while; the others do
// without it at once. A slow turn of this process is not the service's delay.
import t from 'tap'
import { Outage } from '../../src/limits/outage.ts'
import { within } from '../../src/limits/within.ts'

t.test('one asks in each pause, and each change is told once', async t => {
  const told: (string | undefined)[] = []
  const outage = new Outage(error => told.push(error?.message))
  t.same([outage.mayAsk(0), outage.mayAsk(0)], [true, true])
  outage.failed(new Error('first'), 0)
  outage.failed(new Error('second'), 1)
  t.same([0, 100, 250, 251, 252, 500, 502].map(now => outage.mayAsk(now)), [false, false, false, true, false, false, true])
  t.equal(outage.isDown, true)
  outage.answered()
  outage.answered()
  t.same([outage.isDown, outage.mayAsk(503), outage.mayAsk(503)], [false, true, true])
  t.same(told, ['first', undefined])
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
