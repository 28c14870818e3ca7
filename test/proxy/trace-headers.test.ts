// Who the upstream is told it talks to: X-Forwarded-*, Forwarded, Via and
// X-Request-Id are the gateway's own unless the peer is trusted.
import t from 'tap'
import { startFakeInference } from '../fake-inference.ts'
import { startGateway } from '../helper.ts'

const claimed = {
  'x-forwarded-for': '203.0.113.7',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'app.example',
  forwarded: 'for=203.0.113.7',
  'x-real-ip': '203.0.113.7',
  'x-request-id': 'client-made-1'
}

t.test('trace headers', async t => {
  const upstream = await startFakeInference()
  t.teardown(() => upstream.close())
  const exchange = async (settings: Record<string, string>, headers: Record<string, string>) => {
    const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: upstream.url, ...settings })
    const response = await fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', body: '{}', headers })
    await response.arrayBuffer()
    return { sent: upstream.requests.at(-1)!.headers, id: response.headers.get('x-request-id'), host: gateway.url.slice(7) }
  }

  t.test('a peer that is not trusted', async t => {
    const { sent, id, host } = await exchange({}, claimed)
    t.match(sent, {
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': host,
      forwarded: `for=127.0.0.1;host="${host}";proto=http`,
      via: '1.1 model-gateway'
    })
    t.equal(sent['x-real-ip'], undefined)
    t.match(id, /^[\da-f-]{36}$/)
    t.equal(sent['x-request-id'], id)
  })

  t.test('a trusted peer', async t => {
    const { sent, id } = await exchange({ TRUST_PROXY: 'loopback' }, { ...claimed, via: '1.1 edge', 'proxy-foo': '1' })
    t.match(sent, {
      'x-forwarded-for': '203.0.113.7, 127.0.0.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'app.example',
      'x-real-ip': '203.0.113.7',
      via: '1.1 edge, 1.1 model-gateway'
    })
    t.match(sent.forwarded, /^for=203\.0\.113\.7, for=127\.0\.0\.1;/)
    t.equal(sent['proxy-foo'], undefined)
    t.equal(id, 'client-made-1')
    t.equal(sent['x-request-id'], 'client-made-1')
  })

  t.test('a trusted peer with an id that is not sane', async t => {
    for (const wild of ['a b', 'x'.repeat(200), '"quoted"']) {
      const { id } = await exchange({ TRUST_PROXY: 'true' }, { 'x-request-id': wild })
      t.match(id, /^[\da-f-]{36}$/)
    }
  })
})
