// Nothing that clients name is remembered: distinct long header names, hosts, models
// and paths leave the memory where it was.
import t from 'tap'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { collectGarbage } from '../garbage.ts'
import { post, startGateway } from '../helper.ts'
import { startService } from '../field/helper.ts'

const heap = async () => {
  await delay(100)
  // V8 keeps the shapes of dead objects for some collections.
  for (let i = 0; i < 5; i++) collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 1e6
}

const COUNT = 200
const LONG = 24_000

t.test('distinct names', async t => {
  const service = await startService(t)
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: service.url, API_KEYS: 'a-key-of-the-client', PROXY_EXTRA_PATHS: 'files/*' })
  const client = connect(gateway.port, '127.0.0.1')
  t.teardown(() => client.destroy())
  let answered = () => {}
  client.on('data', chunk => { if (chunk.includes('HTTP/1.1 ')) answered() })
  const send = async (path: string, headers: Record<string, string>, body = '{}') => {
    const answer = new Promise<void>(resolve => { answered = resolve })
    client.write(post(path, body, { 'x-api-key': 'a-key-of-the-client', ...headers }))
    await answer
    service.received.length = 0
  }
  const name = (i: number, length: number) => `n${i}-${'x'.repeat(length)}`
  const kinds: Record<string, (i: number) => Promise<void>> = {
    'header names': i => send('/v1/chat/completions', { [name(i, LONG)]: 'a' }),
    hosts: i => send('/v1/chat/completions', { host: name(i, 200), forwarded: name(i, LONG) }),
    models: i => send('/v1/chat/completions', {}, JSON.stringify({ model: name(i, LONG) })),
    paths: i => send(`/v1/files/${name(i, LONG)}`, {}),
    'unknown paths': i => send(`/${name(i, LONG)}`, {}),
    'wrong keys': i => send('/v1/chat/completions', { 'x-api-key': name(i, LONG) })
  }
  // Code and caches of a fixed size are there before anything is measured.
  for (const ask of Object.values(kinds)) for (let i = 0; i < 50; i++) await ask(i)
  let before = await heap()
  for (const [kind, ask] of Object.entries(kinds)) {
    for (let i = 0; i < COUNT; i++) await ask(i + 100)
    const after = await heap()
    // Remembered, they would be 4.8 MB.
    t.ok(after - before < 2.5, `${kind}: ${(after - before).toFixed(1)} MB more`)
    before = after
  }
})
