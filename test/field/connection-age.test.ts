// A service in a cluster moves to another address while traffic is steady: a
// connection that never ages would be used for as long as it is not closed.
import t from 'tap'
import { setTimeout as delay } from 'node:timers/promises'
import { lastPost, send, startRig } from '../faults/helper.ts'

t.test('under steady traffic connections are replaced when they reach their age', async t => {
  const rig = await startRig(t, socket => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'), { UPSTREAM_CONNECTION_AGE: '0.3' })
  const end = performance.now() + 1500
  let requests = 0
  while (performance.now() < end) {
    t.equal((await send(rig.gateway.port, lastPost('/v1/chat/completions'))).status, 200)
    requests++
    await delay(10)
  }
  const opened = rig.upstream.sockets.length
  t.ok(opened >= 3 && opened <= 7, `${opened} connections for ${requests} requests`)
})

t.test('an answer that takes longer is not cut', async t => {
  const rig = await startRig(t, socket => { setTimeout(() => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'), 600) }, { UPSTREAM_CONNECTION_AGE: '0.2' })
  t.match(await send(rig.gateway.port, lastPost('/v1/chat/completions')), { status: 200, body: 'ok' })
})
