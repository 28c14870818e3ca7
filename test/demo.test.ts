// The two ways to start it, as real processes: the demo with its stand-in, and
// the demo in front of a service of one's own.
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { test, type Test } from 'tap'
import { startFakeInference } from './fake-inference.ts'
import { eventually } from './helper.ts'
import { spawnScript, type Program } from './spawn.ts'

const startDemo = (t: Test, settings?: Record<string, string>) => spawnScript(t, 'scripts/demo.ts', settings)
const ready = (demo: Program) => eventually(() => demo.out().includes('Ctrl-C'), 20_000, () => demo.out() + demo.err())
const place = (demo: Program, name: string) => new RegExp(`^ *${name} +(http://\\S+)`, 'm').exec(demo.out())?.[1]

async function refuses (url: string): Promise<boolean> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  const [error] = await Promise.race([once(socket, 'connect'), once(socket, 'error').catch(e => [e])]).catch(e => [e])
  socket.destroy()
  return error?.code === 'ECONNREFUSED'
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`says where everything is, and stops all of it on ${signal}`, async t => {
    const demo = startDemo(t)
    await ready(demo)
    const api = place(demo, 'API')!
    const docs = place(demo, 'Docs page')!
    const base = place(demo, 'OpenAI clients')!
    const standIn = place(demo, 'Stand-in')!
    t.match(demo.out(), /^\n {2}Studio +http/, 'what a person tries first comes first')
    t.match(await (await fetch(place(demo, 'Studio')!)).text(), '<title>Studio · Model gateway</title>')
    t.match(await (await fetch(docs)).text(), '<title>Model gateway</title>')
    t.match(await (await fetch(`${base}/models`)).json(), { object: 'list' })
    t.equal((await fetch(`${standIn}/v1/models`)).headers.get('server'), 'inference stand-in')
    const answer: any = await (await fetch(`${base}/chat/completions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"messages":[]}' })).json()
    t.match(answer.choices[0].message.content, 'stand-in for model gemini-1.5-flash')
    // The last, so that stopping takes its while: connections are let rest before they are cut.
    t.equal((await (await fetch(api)).json() as unknown[]).length, 7)

    demo.child.kill(signal)
    // On Ctrl-C both the terminal and npm send the signal.
    await setTimeout(50)
    demo.child.kill(signal)
    t.equal(await demo.ended, 0)
    t.equal(demo.err(), '')
    t.ok(await refuses(api), 'the gateway has stopped')
    t.ok(await refuses(standIn), 'the stand-in has stopped')
  })
}

test('in front of a service of one\'s own it starts no stand-in', async t => {
  const service = await startFakeInference()
  t.teardown(() => service.close())
  const demo = startDemo(t, { INFERENCE_SERVICE_URL: service.url })
  await ready(demo)
  t.equal(place(demo, 'Stand-in'), undefined)
  t.equal(place(demo, 'Inference'), service.url)
  await fetch(`${place(demo, 'OpenAI clients')}/embeddings`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"input":"a"}' })
  t.equal(service.requests.length, 1)
})

test('a port in use is one clear line', async t => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  const { port } = other.address() as AddressInfo
  const demo = startDemo(t, { PORT: String(port) })
  t.equal(await demo.ended, 1)
  t.match(demo.err(), new RegExp(`^Cannot listen on 127\\.0\\.0\\.1:${port}: the port is in use[^\\n]*\\n$`))
  t.equal(demo.out(), '')
})
