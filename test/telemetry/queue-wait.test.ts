// The longest waits in the queue are those that end without a slot: they count too.
import t from 'tap'
import { eventually, post, rawClient, startGateway, startRawUpstream } from '../helper.ts'
import { samplesOf } from './helper.ts'

t.test('a client that leaves the queue, and a request that waits too long', async t => {
  const upstream = await startRawUpstream(t, () => {})
  const gateway = await startGateway(t, { INFERENCE_SERVICE_URL: upstream.url, MAX_CONCURRENT_REQUESTS: '1', QUEUE_TIMEOUT: '0.3' })
  const waits = async () => samplesOf(await (await fetch(`${gateway.url}/metrics`)).text()).get('gateway_queue_wait_seconds_count') ?? 0
  const running = await rawClient(gateway.port, post('/v1/chat/completions', '{}'))
  await eventually(() => upstream.hits() === 1)
  const leaving = await rawClient(gateway.port, post('/v1/chat/completions', '{}'))
  await eventually(() => gateway.app.forwarder.queued === 1)
  leaving.socket.destroy()
  await eventually(() => gateway.app.forwarder.queued === 0)
  t.equal(await waits(), 1)
  const late = await rawClient(gateway.port, post('/v1/chat/completions', '{}'))
  await late.until(/"code":"overloaded"/)
  t.equal(await waits(), 2)
  running.socket.destroy()
  await eventually(() => gateway.app.forwarder.underWay === 0)
  t.equal(await waits(), 3, 'the one that ran')
})
