// A WebSocket handshake is refused, and leaves nothing behind.
import t from 'tap'
import { backAtRest, isError, rawClient, send, startRig } from './helper.ts'

const handshake = (path: string, connection = 'Upgrade') => `GET ${path} HTTP/1.1\r\nhost: g\r\nconnection: ${connection}\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`

t.test('50 handshakes', async t => {
  const rig = await startRig(t, () => {})
  for (let i = 0; i < 50; i++) {
    const path = ['/v1/chat/completions', '/v1/realtime', '/v1/models', '/'][i % 4]!
    const answer = await send(rig.gateway.port, handshake(path, 'Upgrade, close'))
    t.ok([400, 404, 405, 426, 501].includes(answer.status), `${answer.status}`)
    isError(t, answer, answer.status)
  }
  t.equal(rig.upstream.hits(), 0)
  await backAtRest(rig)
})

t.test('50 at once, which leave without a word', async t => {
  const rig = await startRig(t, () => {})
  const clients = await Promise.all(Array.from({ length: 50 }, () => rawClient(rig.gateway.port, handshake('/v1/chat/completions'))))
  await Promise.all(clients.map(client => client.until(/^HTTP\/1.1 501[^]*\}\}$/)))
  for (const client of clients) client.socket.destroy()
  await backAtRest(rig)
})

t.test('an upgrade to anything else is no matter', async t => {
  const rig = await startRig(t, () => {})
  t.equal((await send(rig.gateway.port, handshake('/healthz', 'Upgrade, close').replace('websocket', 'h2c'))).status, 200)
  await backAtRest(rig)
})
