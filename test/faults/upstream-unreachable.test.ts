// An inference service that cannot be reached: the client learns it within a
// second, and a service that is only restarting is met again without an error.
import t from 'tap'
import { startFakeInference } from '../fake-inference.ts'
import { freePort } from '../free-port.ts'
import { atRest, isError, lastPost, send, startGateway, timed } from './helper.ts'

const places: Record<string, () => Promise<string>> = {
  'a closed port': async () => `http://127.0.0.1:${await freePort()}`,
  // RFC 6761: such a name never resolves.
  'an unknown name': async () => 'http://gateway.invalid',
  'a closed port behind TLS': async () => `https://127.0.0.1:${await freePort()}`
}
for (const [place, url] of Object.entries(places)) {
  t.test(place, async t => {
    const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: await url() })
    let answer!: Awaited<ReturnType<typeof send>>
    const took = await timed(send(gateway.port, lastPost('/v1/chat/completions')).then(received => { answer = received }))
    isError(t, answer, 502, 'upstream_unreachable')
    t.ok(took < 1000, `answered after ${Math.round(took)} ms`)
    await atRest(gateway)
    t.equal(gateway.app.forwarder.connections.open, 0)
  })
}

t.test('a service that comes up 100 ms later is asked once', async t => {
  const port = await freePort()
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: `http://127.0.0.1:${port}` })
  const answered = send(gateway.port, lastPost('/v1/chat/completions', `{"model":"m","text":"${'x'.repeat(200_000)}"}`))
  await new Promise(resolve => setTimeout(resolve, 100))
  const service = await startFakeInference({ port })
  t.teardown(() => service.close())
  const answer = await answered
  t.equal(answer.status, 200)
  t.equal(service.requests.length, 1)
  t.equal(service.requests[0]!.bodyLength, 200_023, 'with its whole body')
  await atRest(gateway)
})
