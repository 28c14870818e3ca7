// Two processes share one port. One that ends leaves it at once: the kernel
// would give it a share of the new connections, and no balancer can see that.
import t from 'tap'
import { startFakeInference } from './fake-inference.ts'
import { freePort } from './free-port.ts'
import { eventually, post, rawClient } from './helper.ts'
import { listeners } from './listeners.ts'
import { spawnGateway } from './spawn.ts'

t.test('SIGTERM to one of two, with a stream under way: every new connection is served by the other', { skip: process.platform !== 'linux' && 'the kernel shares a port on Linux' }, async t => {
  const upstream = await startFakeInference({ tokens: 60, tokensPerSecond: 20 })
  t.teardown(() => upstream.close())
  const port = await freePort()
  const settings = { INFERENCE_SERVICE_URL: upstream.url, REUSE_PORT: 'true', PORT: String(port), SHUTDOWN_GRACE: '20' }
  const ending = await spawnGateway(t, settings)
  // Connected while there is one process only.
  const stream = await rawClient(port)
  await spawnGateway(t, settings)
  stream.socket.write(post('/v1/chat/completions', '{"stream":true}'))
  await stream.until(/data: /)
  ending.child.kill('SIGTERM')
  await eventually(() => listeners(port) === 1, 10_000)
  t.notMatch(stream.text(), '[DONE]', 'at once')
  const answers = []
  for (let i = 0; i < 50; i++) answers.push((await fetch(`http://127.0.0.1:${port}/v1/models`, { headers: { connection: 'close' } })).status)
  t.same(new Set(answers), new Set([200]))
  await stream.until(/data: \[DONE\]\n\n\r\n0\r\n\r\n$/, 10_000)
  t.equal(await ending.ended, 0)
})
