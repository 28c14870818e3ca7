// Somebody tries keys at random: after ten wrong ones in a minute his address is
// told to wait, whatever he asks for. Nobody else is harmed: not other addresses,
// not the holder of a right key behind the same address.
import t from 'tap'
import { startPair } from '../clients.ts'
import { eventually, startGateway } from '../helper.ts'
import { spawnGateway } from '../spawn.ts'
import { ask, tally, type Question } from './helper.ts'

const RIGHT = 'right-key-of-some-length'
const ADMIN = 'admin-key-of-some-length'
const wrong = (i: number) => ({ authorization: `Bearer wrong-${i}` })

/** The statuses of 30 requests, each with another wrong key. */
async function guess (port: number, question: Question = {}): Promise<number[]> {
  const statuses = []
  for (let i = 0; i < 30; i++) statuses.push((await ask(port, { ...question, headers: { ...wrong(i), ...question.headers } })).status)
  return statuses
}

t.test('ten are a 401, further ones a 429 that says when to come again', async t => {
  const { gateway: { port }, standIn } = await startPair(t, { API_KEYS: RIGHT })
  t.same(await guess(port, { path: '/v1/chat/completions', method: 'POST', body: '{}' }), [...Array(10).fill(401), ...Array(20).fill(429)])
  const refused = await ask(port, { headers: wrong(99) })
  t.match(refused, { status: 429, body: { error: { type: 'rate_limit_error', code: 'rate_limit_exceeded', param: null } } })
  const after = Number(refused.headers['retry-after'])
  t.ok(after >= 1 && after <= 60, `${after}`)
  t.equal(standIn.requests.length, 0)
})

t.test('others are unharmed', async t => {
  const { port } = await startGateway(t, { API_KEYS: RIGHT, ADMIN_API_KEY: ADMIN })
  await guess(port)
  t.equal((await ask(port, { headers: { 'x-api-key': RIGHT } })).status, 200, 'a right key behind the same address')
  t.equal((await ask(port)).status, 401, 'a request without a key guesses nothing')
  t.equal((await ask(port, { from: '127.0.0.2', headers: wrong(0) })).status, 401, 'another address has ten of its own')
  t.equal((await ask(port, { from: '127.0.0.2', headers: { 'x-api-key': RIGHT } })).status, 200)
  t.equal((await ask(port, { path: '/healthz', headers: wrong(0) })).status, 200)
})

t.test('/admin counts with the rest, also where the gateway itself is open', async t => {
  const { port } = await startGateway(t, { ADMIN_API_KEY: ADMIN })
  t.same(tally(await guess(port, { path: '/admin/models' })), { 401: 10, 429: 20 })
  t.equal((await ask(port, { path: '/admin/models', headers: { 'x-api-key': ADMIN } })).status, 200)
  const both = await startGateway(t, { API_KEYS: RIGHT, ADMIN_API_KEY: ADMIN })
  await guess(both.port)
  t.equal((await ask(both.port, { path: '/admin/models', headers: wrong(0) })).status, 429, 'one count for both doors')
})

t.test('behind a trusted proxy it is the client that counts, however its address is written', async t => {
  const { port } = await startGateway(t, { API_KEYS: RIGHT, TRUST_PROXY: '127.0.0.1' })
  const from = async (address: string, i = 0) => (await ask(port, { headers: { ...wrong(i), 'x-forwarded-for': address } })).status
  for (const [name, addresses] of Object.entries<(i: number) => string>({
    'one address': () => '203.0.113.7',
    'one address, another port each time': i => `203.0.113.8:${5000 + i}`,
    'one /64 of IPv6': i => `2001:db8:1:2:${i.toString(16)}::1`,
    'one /64 of IPv6, with ports': i => `[2001:db8:1:3::${i.toString(16)}]:${5000 + i}`,
    'one IPv4 address in the clothes of IPv6': i => i % 2 === 0 ? '::ffff:203.0.113.9' : '203.0.113.9'
  })) {
    const statuses = []
    for (let i = 0; i < 12; i++) statuses.push(await from(addresses(i), i))
    t.same(tally(statuses), { 401: 10, 429: 2 }, name)
  }
  t.equal(await from('203.0.113.10'), 401)
  t.equal(await from('2001:db8:1:4::1'), 401, 'the next /64 is another client')
})

t.test('without trust in a proxy, an address that the client makes up is not believed', async t => {
  const { port } = await startGateway(t, { API_KEYS: RIGHT })
  const statuses = []
  for (let i = 0; i < 12; i++) statuses.push((await ask(port, { headers: { ...wrong(i), 'x-forwarded-for': `203.0.113.${i}` } })).status)
  t.same(tally(statuses), { 401: 10, 429: 2 })
})

t.test('the log says so once for each address, and how many there were; never a key', async t => {
  const gateway = await spawnGateway(t, { API_KEYS: RIGHT })
  await guess(gateway.port)
  gateway.child.kill('SIGTERM')
  await gateway.ended
  await eventually(() => gateway.output().includes('in the last minute'), 2000, gateway.output)
  const lines = gateway.out().trim().split('\n').map(line => JSON.parse(line)).filter(({ level }) => level === 40)
  t.match(lines.filter(({ address }) => address !== undefined), [{ address: '127.0.0.1', msg: /429/ }])
  t.match(lines.filter(({ wrongKeys }) => wrongKeys !== undefined), [{ wrongKeys: 30, limited: 20 }])
  t.notMatch(gateway.output(), /wrong-\d|right-key/)
})
