// The upstream has to prove who it is before it is told anything: with a bad
// certificate the client gets a 502, and the key and the prompt stay here.
import t from 'tap'
import { once } from 'node:events'
import { syncBuiltinESMExports } from 'node:module'
import tls, { createServer, type TLSSocket } from 'node:tls'
import type { AddressInfo } from 'node:net'
import { makeCertificates, type Identity } from './certificates.ts'
import { atRest, isError, lastPost, post, rawClient, send, startGateway, type Test } from './helper.ts'

const certificates = makeCertificates(t.testdir())

interface SecureUpstream { port: number, received: () => string, connections: () => number }

/** Answers every request, and keeps what it was sent in clear. */
async function startSecureUpstream (t: Test, identity: Identity): Promise<SecureUpstream> {
  let received = ''
  let connections = 0
  const sockets = new Set<TLSSocket>()
  const server = createServer(identity, socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', chunk => {
      received += chunk.toString('latin1')
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
    })
  })
  server.on('connection', () => { connections++ })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, received: () => received, connections: () => connections }
}

const KEY = { INFERENCE_API_KEY: 'sk-secret-upstream' }
const TRUST = { UPSTREAM_CA_FILE: certificates.authority }
const refused: Record<string, { identity: Identity, settings: Record<string, string>, host?: string }> = {
  'self-signed': { identity: certificates.selfSigned, settings: {} },
  'self-signed, with a private authority set': { identity: certificates.selfSigned, settings: TRUST },
  'of a private authority that is not set': { identity: certificates.good, settings: {} },
  'of another authority than the one set': { identity: certificates.good, settings: { UPSTREAM_CA_FILE: certificates.stranger } },
  'for another name': { identity: certificates.wrongName, settings: TRUST },
  'for another name, reached by name': { identity: certificates.wrongName, settings: TRUST, host: 'localhost' },
  expired: { identity: certificates.expired, settings: TRUST },
  'not yet valid': { identity: certificates.notYetValid, settings: TRUST }
}
for (const [name, { identity, settings, host = '127.0.0.1' }] of Object.entries(refused)) {
  t.test(`a certificate ${name}`, async t => {
    const upstream = await startSecureUpstream(t, identity)
    const gateway = await startGateway(t, { ...KEY, ...settings, INFERENCE_SERVICE_URL: `https://${host}:${upstream.port}` })
    isError(t, await send(gateway.port, lastPost('/v1/chat/completions', '{"prompt":"private"}', { authorization: 'Bearer sk-secret-client' })), 502, 'upstream_unreachable')
    t.equal(upstream.received(), '', 'nothing was sent')
    t.ok(upstream.connections() >= 1)
    await atRest(gateway)
    t.equal(gateway.app.forwarder.connections.open, 0)
  })
}

for (const host of ['127.0.0.1', 'localhost']) {
  t.test(`a certificate of the private authority that is set, ${host}`, async t => {
    const upstream = await startSecureUpstream(t, certificates.good)
    const gateway = await startGateway(t, { ...KEY, ...TRUST, INFERENCE_SERVICE_URL: `https://${host}:${upstream.port}` })
    for (let i = 0; i < 3; i++) t.equal((await send(gateway.port, lastPost('/v1/chat/completions'))).status, 200)
    t.match(upstream.received(), /authorization: Bearer sk-secret-upstream/)
    t.equal(upstream.connections(), 1, 'and the connection is used again')
    await atRest(gateway)
  })
}

t.test('the authorities are read once, not for each connection, which would stop all streams for tens of milliseconds', async t => {
  const upstream = await startSecureUpstream(t, certificates.good)
  const gateway = await startGateway(t, { ...TRUST, INFERENCE_SERVICE_URL: `https://127.0.0.1:${upstream.port}` })
  let contexts = 0
  const { createSecureContext } = tls
  const replace = (other: typeof createSecureContext) => {
    tls.createSecureContext = other
    syncBuiltinESMExports()
  }
  t.teardown(() => replace(createSecureContext))
  replace(options => {
    contexts++
    return createSecureContext(options)
  })
  const clients = await Promise.all(Array.from({ length: 3 }, () => rawClient(gateway.port, post('/v1/chat/completions', '{}'))))
  await Promise.all(clients.map(client => client.until(/ok$/)))
  t.equal(upstream.connections(), 3)
  t.equal(contexts, 0)
  for (const { socket } of clients) socket.destroy()
})
