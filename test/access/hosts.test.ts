// DNS rebinding: a page of the internet has its own name resolve to this machine,
// and its browser then takes the gateway for the page's own origin. Without keys
// only the Host header tells: a name that is not the gateway's is a 421.
import { hostname } from 'node:os'
import t from 'tap'
import { startPair } from '../clients.ts'
import { rawClient, startGateway } from '../helper.ts'
import { ask } from './helper.ts'

const OURS = ['127.0.0.1', '127.0.0.1:8000', '127.0.0.1.', '10.1.2.3', '[::1]:8000', '[2001:db8::1]', 'localhost', 'LOCALHOST:3000', 'localhost.', 'studio.localhost:8000', 'gateway', 'model_gateway:8000', hostname(), `${hostname()}.local:8000`]
const FOREIGN = ['evil.example', 'evil.example:8000', '127.0.0.1.evil.example', 'localhost.evil.example', 'evil.example.', 'notlocalhost.com', `${hostname()}.evil.example`, 'other.local', '1.2.3']

t.test('without keys, only local names and addresses are answered', async t => {
  const { gateway: { port }, standIn } = await startPair(t)
  for (const host of OURS) t.equal((await ask(port, { headers: { host } })).status, 200, host)
  for (const host of FOREIGN) {
    for (const question of [{}, { path: '/v1/chat/completions', method: 'POST', body: '{}' }, { path: '/openapi.json' }, { path: '/nowhere' }]) {
      t.match(await ask(port, { ...question, headers: { host } }), { status: 421, body: { error: { type: 'invalid_request_error', code: 'misdirected_request', message: /ALLOWED_HOSTS/ } } }, host)
    }
  }
  t.equal(standIn.requests.length, 0, 'nothing went upstream')
})

t.test('a page that is its own origin by its name is not let in by that', async t => {
  const { gateway: { port }, standIn } = await startPair(t)
  const headers = { host: 'evil.example:8000', origin: 'http://evil.example:8000', 'content-type': 'text/plain', 'x-forwarded-host': 'localhost' }
  t.equal((await ask(port, { path: '/v1/chat/completions', method: 'POST', headers, body: '{}' })).status, 421)
  t.equal(standIn.requests.length, 0)
  const trusting = await startGateway(t, { TRUST_PROXY: 'loopback' })
  t.equal((await ask(trusting.port, { headers })).status, 421, 'nor by a forwarded host: the page can send that header itself')
})

t.test('ALLOWED_HOSTS and PUBLIC_URL name further ones', async t => {
  const { port } = await startGateway(t, { ALLOWED_HOSTS: 'gateway.example, GW.internal.example', PUBLIC_URL: 'https://public.example/gateway' })
  for (const host of ['gateway.example', 'Gateway.Example:8443', 'gateway.example.', 'gw.internal.example', 'public.example', 'localhost']) t.equal((await ask(port, { headers: { host } })).status, 200, host)
  for (const host of ['other.example', 'a.gateway.example']) t.equal((await ask(port, { headers: { host } })).status, 421, host)
})

t.test('where a key is needed, any name will do', async t => {
  const { port } = await startGateway(t, { API_KEYS: 'a-key-of-sixteen-letters' })
  t.equal((await ask(port, { headers: { host: 'gateway.example', 'x-api-key': 'a-key-of-sixteen-letters' } })).status, 200)
  t.equal((await ask(port, { headers: { host: 'gateway.example' } })).status, 401)
})

t.test('HTTP/1.0 without a Host is answered: a balancer\'s health check, and no browser', async t => {
  const { port } = await startGateway(t, {})
  const { closed, text } = await rawClient(port, 'GET /healthz HTTP/1.0\r\n\r\n')
  await closed
  t.match(text(), /^HTTP\/1\.[01] 200 /)
})
