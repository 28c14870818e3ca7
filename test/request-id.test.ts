import t from 'tap'
import { requestIds } from '../src/http/request-id.ts'

const UUID = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/

t.test('new ids have the shape of UUIDs and never come twice, from one process or two', async t => {
  const makers = [requestIds(), requestIds()]
  const ids = Array.from({ length: 2000 }, (_, i) => makers[i % 2]!(undefined, false))
  t.equal(new Set(ids).size, ids.length)
  for (const id of [ids[0]!, ids[1]!, ids.at(-1)!]) t.match(id, UUID)
})

t.test('a received id is taken from a trusted peer, where it is sane', async t => {
  const requestId = requestIds()
  t.equal(requestId('their-id.1', true), 'their-id.1')
  for (const [received, trusted] of [['their-id.1', false], ['two ids', true], ['', true], ['x'.repeat(129), true], [['a', 'b'], true]] as const) {
    t.match(requestId(received as string | string[], trusted), UUID)
  }
})
