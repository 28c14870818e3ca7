// Connections to the upstream are opened at the end of the turn in which they are asked for.
import t from 'tap'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { Connections, type Connection } from '../../src/proxy/connections.ts'

t.test('a connection that is given up in its first turn is never opened', async t => {
  let accepted = 0
  const asked = Promise.withResolvers<unknown>()
  const server = createServer(socket => {
    accepted++
    socket.on('error', () => {})
    socket.once('data', asked.resolve)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const connections = new Connections({ origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  t.teardown(() => {
    connections.destroy()
    server.close()
  })

  /** Begins a request; resolves with the error that ends it. */
  const begin = (connection: Connection) => new Promise<Error>(resolve => {
    connection.client.dispatch({ method: 'GET', path: '/' }, { onConnect () {}, onHeaders () {}, onData () {}, onComplete () {}, onError: resolve } as never)
  })
  const given = connections.acquire()
  const ended = begin(given)
  connections.discard(given)
  t.match(await ended, { code: 'UND_ERR_DESTROYED' })

  const kept = connections.acquire()
  begin(kept)
  await asked.promise
  t.equal(accepted, 1, 'only the one that was kept')
  t.equal(connections.size, 1)
})
