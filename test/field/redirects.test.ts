// A service redirects to itself: to a path with a slash, or to its own absolute
// address. The client must stay at the gateway and not see the inside.
import t from 'tap'
import { startGateway } from '../helper.ts'
import { startService } from './helper.ts'

t.test('a redirect to the upstream becomes a path of the gateway', async t => {
  let location = ''
  const service = await startService(t, () => ({ status: 307, headers: { location } }))
  const { url } = await startGateway(t, { INFERENCE_SERVICE_URL: `${service.url}/api/v1`, PUBLIC_URL: 'https://studio.example/gateway' })
  const cases: [sent: string, prefix: string, seen: string][] = [
    [`${service.url}/api/v1/chat/completions/`, '/v1', '/gateway/v1/chat/completions/'],
    ['/api/v1/chat/completions/?a=b', '/openai/v1', '/gateway/openai/v1/chat/completions/?a=b'],
    ['/login', '/v1', '/login'],
    [`${service.url}/login?next=x`, '/v1', '/login?next=x'],
    ['https://elsewhere.example/x', '/v1', 'https://elsewhere.example/x']
  ]
  for (const [sent, prefix, seen] of cases) {
    location = sent
    const response = await fetch(`${url}${prefix}/chat/completions`, { method: 'POST', body: '{}', redirect: 'manual' })
    t.equal(response.status, 307)
    t.equal(response.headers.get('location'), seen, sent)
  }
})
