// A page of another site sends a chat to a gateway of this machine. It need not be
// able to read the answer to do harm: as text/plain the POST has no preflight, and
// a GPU works for it. Origins that are neither allowed nor the gateway's own are a
// 403, before anything goes upstream.
import t from 'tap'
import { startPair } from '../clients.ts'
import { startGateway } from '../helper.ts'
import { ask, type Question } from './helper.ts'

const KEY = 'a-key-of-sixteen-letters'
const FOREIGN = ['https://evil.example', 'http://localhost.evil.example', 'http://10.0.0.1:8000', 'null', 'file://', 'chrome-extension://abc', 'nonsense']
const chat = (headers: Record<string, string>): Question => ({ path: '/v1/chat/completions', method: 'POST', body: '{}', headers: { 'content-type': 'text/plain', ...headers } })

for (const [name, settings, headers] of [['an open gateway', {}, {}], ['a gateway with keys', { API_KEYS: KEY }, { 'x-api-key': KEY }]] as const) {
  t.test(`${name}: foreign pages are refused on every route, and nothing goes upstream`, async t => {
    const { gateway: { port }, standIn } = await startPair(t, settings)
    for (const origin of FOREIGN) {
      for (const question of [chat({}), {}, { path: '/openai/v1/models' }, { path: '/v1/models', method: 'OPTIONS', headers: { 'access-control-request-method': 'GET' } }, { path: '/openapi.json' }, { path: '/nowhere' }] as Question[]) {
        const answer = await ask(port, { ...question, headers: { ...question.headers, ...headers, origin } })
        t.match(answer, { status: 403, body: { error: { type: 'invalid_request_error', code: 'origin_not_allowed', message: /CORS_ORIGINS/ } } }, `${origin} ${question.method} ${question.path}`)
        t.notOk('access-control-allow-origin' in answer.headers)
      }
    }
    t.equal(standIn.requests.length, 0)
    for (const origin of ['http://localhost:3000', 'https://localhost', 'http://[::1]:5173']) t.equal((await ask(port, chat({ ...headers, origin }))).status, 200, origin)
    t.equal((await ask(port, chat(headers))).status, 200, 'no browser, no origin')
  })
}

t.test('CORS_ORIGINS decides, in place of this machine\'s', async t => {
  const { gateway: { port } } = await startPair(t, { CORS_ORIGINS: 'https://studio.example' })
  const status = async (origin: string) => (await ask(port, chat({ origin }))).status
  t.equal(await status('https://studio.example'), 200)
  t.equal(await status('http://studio.example'), 403)
  t.equal(await status('http://localhost:3000'), 403)
  const { gateway: open } = await startPair(t, { CORS_ORIGINS: '*' })
  for (const origin of FOREIGN) t.equal((await ask(open.port, chat({ origin }))).status, 200, origin)
})

t.test('the gateway\'s own pages are let in, under whatever name they were loaded', async t => {
  const { gateway: { port } } = await startPair(t, { CORS_ORIGINS: 'https://studio.example', ALLOWED_HOSTS: 'gateway.example', PUBLIC_URL: 'https://public.example/gateway' })
  const status = async (origin: string, host: string) => (await ask(port, chat({ origin, host }))).status
  for (const [origin, host] of [
    [`http://127.0.0.1:${port}`, `127.0.0.1:${port}`],
    ['http://10.0.0.7:8000', '10.0.0.7:8000'],
    ['http://gateway.example', 'gateway.example'],
    ['http://gateway.example', 'gateway.example:80'],
    ['https://gateway.example', 'gateway.example'], // a proxy ends TLS
    ['http://[::1]:8000', '[::1]:8000'],
    ['https://public.example', 'gateway:8000'] // a proxy that sends a Host of its own
  ] as const) t.equal(await status(origin, host), 200, `${origin} at ${host}`)
  for (const [origin, host] of [
    ['http://gateway.example:8080', 'gateway.example'],
    ['http://other.example', 'gateway.example'],
    ['http://public.example', 'gateway:8000'],
    ['https://public.example:444', 'gateway:8000'],
    ['gateway.example', 'gateway.example'],
    ['ftp://gateway.example', 'gateway.example']
  ] as const) t.equal(await status(origin, host), 403, `${origin} at ${host}`)
})

t.test('behind a trusted proxy its own name is the one that the proxy was asked under', async t => {
  const headers = { origin: 'https://gateway.example', host: 'upstream:8000', 'x-forwarded-host': 'gateway.example', 'x-forwarded-proto': 'https' }
  const { port } = await startGateway(t, { TRUST_PROXY: '127.0.0.1' })
  t.equal((await ask(port, { headers })).status, 200)
  t.equal((await ask(port, { headers: { ...headers, origin: 'http://gateway.example' } })).status, 403, 'a page without TLS is another one')
  const doubting = await startGateway(t, {})
  t.equal((await ask(doubting.port, { headers })).status, 403)
})
