// Each answer tells the id of its request: a random one that no other client can
// guess, or the one that a trusted proxy has sent.
import t from 'tap'
import { startGateway } from './helper.ts'

const UUID = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/

t.test('ids are random', async t => {
  const { url } = await startGateway(t, {})
  const ids = await Promise.all(Array.from({ length: 50 }, async () => (await fetch(`${url}/v1/models`)).headers.get('x-request-id')!))
  t.equal(new Set(ids).size, ids.length)
  for (const id of ids) if (!UUID.test(id)) t.fail(id)
  const tails = new Set(ids.map(id => id.slice(0, 8)))
  t.ok(tails.size > 40, 'no common series')
})

t.test('an id is taken from a trusted peer only, where it is printable and short', async t => {
  const { url: trusting } = await startGateway(t, { TRUST_PROXY: 'loopback' })
  const { url: plain } = await startGateway(t, {})
  const idOf = async (url: string, sent: string) => (await fetch(`${url}/v1/models`, { headers: { 'x-request-id': sent } })).headers.get('x-request-id')
  t.equal(await idOf(trusting, 'their-id.1'), 'their-id.1')
  t.match(await idOf(plain, 'their-id.1'), UUID)
  for (const bad of ['two ids', 'x'.repeat(129), 'a,b']) t.match(await idOf(trusting, bad), UUID)
})
