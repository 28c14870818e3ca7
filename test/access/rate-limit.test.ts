// RATE_LIMIT within one process: who counts as one client, that a flood of other
// clients clears no count, and what the answers say of it.
import { once } from 'node:events'
import t from 'tap'
import { startPair } from '../clients.ts'
import { post, rawClient, startGateway, type TestGateway } from '../helper.ts'
import { ask, tally } from './helper.ts'

/** Requests sent together on one connection; the gateway closes one on which more than 16 wait. */
const TOGETHER = 16

/** As many requests as there are addresses, on one connection, each from its own; the statuses in order. */
async function askAs ({ port }: TestGateway, addresses: readonly string[]): Promise<number[]> {
  const heads = addresses.map(address => `HEAD /openai/v1/models/sdxl HTTP/1.1\r\nhost: g\r\nx-forwarded-for: ${address}\r\n\r\n`)
  const { socket } = await rawClient(port)
  const statuses: number[] = []
  let text = ''
  for (let sent = 0; sent < heads.length; sent += TOGETHER) {
    const batch = heads.slice(sent, sent + TOGETHER)
    socket.write(batch.join(''))
    const due = sent + batch.length
    while (statuses.length < due) {
      const [chunk] = await once(socket, 'data')
      text += chunk.toString('latin1')
      const ended = text.lastIndexOf('\r\n\r\n')
      statuses.push(...[...text.slice(0, Math.max(0, ended)).matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(match => Number(match[1])))
      text = text.slice(ended < 0 ? 0 : ended + 4)
    }
  }
  socket.destroy()
  return statuses
}

const behindProxy = { TRUST_PROXY: '127.0.0.1', RATE_LIMIT: '3' }

t.test('one client is one address, however it is written; of IPv6 a /64', async t => {
  const gateway = await startGateway(t, behindProxy)
  for (const [name, addresses] of Object.entries({
    'ports, as some proxies write them': ['203.0.113.1', '203.0.113.1:1001', '203.0.113.1:1002', '203.0.113.1:1003'],
    'one /64': ['2001:db8:0:1::1', '2001:db8:0:1:ffff::', '[2001:db8:0:1::2]:443', '2001:0db8:0000:0001::3'],
    'IPv4 within IPv6': ['203.0.113.2', '::ffff:203.0.113.2', '[::ffff:203.0.113.2]:80', '::FFFF:203.0.113.2']
  })) t.same(await askAs(gateway, addresses), [200, 200, 200, 429], name)
  t.same(await askAs(gateway, ['2001:db8:0:2::1', '203.0.113.3']), [200, 200], 'others')
  t.same(await askAs(gateway, ['198.51.100.1, 203.0.113.9', '198.51.100.2, 203.0.113.9', '198.51.100.3, 203.0.113.9', '198.51.100.4, 203.0.113.9']), [200, 200, 200, 429], 'what stands before the proxy\'s own entry is the client\'s invention')
})

t.test('a trusted proxy whose own address stands with a port is a proxy all the same', async t => {
  const gateway = await startGateway(t, { ...behindProxy, TRUST_PROXY: '127.0.0.1,10.0.0.0/8' })
  t.same(await askAs(gateway, ['203.0.113.1, 10.0.0.5:1234', '203.0.113.2, 10.0.0.5:1234', '203.0.113.3, 10.0.0.5:1234', '203.0.113.4, 10.0.0.5:1234']), [200, 200, 200, 200])
})

t.test('a count outlives thousands of other clients', async t => {
  const gateway = await startGateway(t, behindProxy)
  t.same(await askAs(gateway, Array(4).fill('203.0.113.1')), [200, 200, 200, 429])
  // @fastify/rate-limit's own store keeps 5,000.
  const others = Array.from({ length: 5500 }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`)
  t.same(tally(await askAs(gateway, others)), { 200: 5500 })
  t.same(await askAs(gateway, ['203.0.113.1']), [429])
})

t.test('keys count by name, so that a rotated key is no second client; addresses do not matter then', async t => {
  const { port } = await startGateway(t, { API_KEYS: 'alice:k1,alice:k2,bob:k3', RATE_LIMIT: '2' })
  const status = async (key: string, from?: string) => (await ask(port, { headers: { 'x-api-key': key }, ...(from !== undefined && { from }) })).status
  t.same([await status('k1'), await status('k2', '127.0.0.2'), await status('k1', '127.0.0.3'), await status('k3')], [200, 200, 429, 200])
  for (let i = 0; i < 4; i++) t.equal((await ask(port, { path: '/healthz' })).status, 200, 'health is never limited')
})

t.test('every answer says where the client stands, proxied ones and errors too', async t => {
  const { gateway: { port } } = await startPair(t, { RATE_LIMIT: '4' })
  const answers = [
    await ask(port),
    await ask(port, { path: '/v1/chat/completions', method: 'POST', body: '{}' }),
    await ask(port, { path: '/nowhere' }),
    await ask(port, { path: '/v1/models?type=none' })
  ]
  t.same(answers.map(({ status }) => status), [200, 200, 404, 400])
  for (const [i, { headers }] of answers.entries()) {
    const reset = Number(headers['ratelimit-reset'])
    t.ok(reset > 0 && reset <= 60, `${reset}`)
    t.match(headers, {
      'ratelimit-policy': '"minute";q=4;w=60',
      ratelimit: `"minute";r=${3 - i};t=${reset}`,
      'ratelimit-limit': '4',
      'ratelimit-remaining': String(3 - i)
    })
    t.notOk('retry-after' in headers)
  }
  const refused = await ask(port)
  t.match(refused, { status: 429, headers: { 'ratelimit-remaining': '0', ratelimit: /^"minute";r=0;t=\d+$/ }, body: { error: { type: 'rate_limit_error', code: 'rate_limit_exceeded' } } })
  t.equal(refused.headers['retry-after'], refused.headers['ratelimit-reset'])
})

t.test('without a limit nothing is said, and an upstream\'s own headers pass', async t => {
  const { gateway: { port } } = await startPair(t)
  t.notOk('ratelimit' in (await ask(port)).headers)
})

t.test('a refused upload is not read to its end', async t => {
  const { port } = await startGateway(t, { RATE_LIMIT: '1' })
  await ask(port)
  const client = await rawClient(port, post('/v1/chat/completions', '{}').toString().replace('content-length: 2', 'content-length: 1000000000'))
  await client.until(/^HTTP\/1\.1 429 [^]*connection: close[^]*"code":"rate_limit_exceeded"/i)
  client.socket.destroy()
})
