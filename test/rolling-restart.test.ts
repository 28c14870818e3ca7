// A rolling restart of two gateways behind a balancer loses no request: a
// gateway that ends turns new requests away in a way that the balancer can take
// elsewhere (503 with x-should-retry, or a refused connection), and finishes
// what it has begun.
import t from 'tap'
import { once } from 'node:events'
import { Agent, createServer, request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { startFakeInference } from './fake-inference.ts'
import { eventually } from './helper.ts'
import { spawnGateway } from './spawn.ts'

t.test('two gateways, restarted in turn under load', async t => {
  const upstream = await startFakeInference({ tokens: 5, tokensPerSecond: 50 })
  const startBackend = () => spawnGateway(t, { INFERENCE_SERVICE_URL: upstream.url })
  const backends = [await startBackend(), await startBackend()]
  const agent = new Agent({ keepAlive: true })

  // A balancer as simple as can be: in turn, and elsewhere where nothing was run. As
  // others do, it leaves a backend alone that has turned it away: the kernel resets
  // connections that nobody has accepted when the port closes.
  let turn = 0
  const leaving = new Set<number>()
  const pass = (port: number, body: string) => new Promise<IncomingMessage>((resolve, reject) => {
    request({ agent, port, host: '127.0.0.1', method: 'POST', path: '/v1/chat/completions' }, resolve).once('error', reject).end(body)
  })
  const balancer = createServer(async (received, response) => {
    let body = ''
    for await (const chunk of received) body += chunk
    const first = turn++
    for (let attempt = 0; attempt < 2; attempt++) {
      const { port } = backends[(first + attempt) % 2]!
      if (leaving.has(port)) continue
      const answer = await pass(port, body).catch((error: NodeJS.ErrnoException) => error)
      if (answer instanceof Error) {
        // Only a connection that was refused has surely run nothing.
        if (answer.code === 'ECONNREFUSED') continue
        response.writeHead(502).end(String(answer))
        return
      }
      if (answer.statusCode === 503 && answer.headers['x-should-retry'] === 'true') {
        leaving.add(port)
        answer.resume()
        continue
      }
      response.writeHead(answer.statusCode!)
      answer.on('error', () => response.destroy()).on('close', () => { if (!answer.complete) response.destroy() })
      answer.pipe(response)
      return
    }
    response.writeHead(503).end('no backend')
  }).listen(0, '127.0.0.1')
  await once(balancer, 'listening')
  t.teardown(async () => {
    agent.destroy()
    balancer.closeAllConnections()
    balancer.close()
    await upstream.close()
  })

  const url = `http://127.0.0.1:${(balancer.address() as AddressInfo).port}/`
  const load = { running: true, answered: 0, failures: [] as string[] }
  const loops = Array.from({ length: 6 }, async () => {
    while (load.running) {
      const text = await fetch(url, { method: 'POST', body: '{"stream":true}' }).then(async response => `${response.status} ${await response.text()}`, String)
      if (text.startsWith('200') && text.endsWith('data: [DONE]\n\n')) load.answered++
      else load.failures.push(text.slice(0, 200))
    }
  })

  for (const place of [0, 1]) {
    const before = load.answered
    await eventually(() => load.answered > before + 30, 10_000)
    const old = backends[place]!
    old.child.kill('SIGTERM')
    t.equal(await old.ended, 0)
    backends[place] = await startBackend()
  }
  const before = load.answered
  await eventually(() => load.answered > before + 30, 10_000)
  load.running = false
  await Promise.all(loops)
  t.same(load.failures, [], `${load.answered} requests, none lost`)
})
