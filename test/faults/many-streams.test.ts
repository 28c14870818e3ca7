// Many streams at once: all of them stream, none waits for another. There is no
// cap but the one that is set: with the settings raised, 2,000 go at once.
import t from 'tap'
import { execFileSync } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import { backAtRest, eventually, post, startRig } from './helper.ts'

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n'
const event = (text: string) => `${(text.length + 8).toString(16)}\r\ndata: ${text}\n\n\r\n`
// Client, gateway and upstream are one process here: four descriptors a stream.
const descriptorLimit = Number(execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' })) || Infinity

for (const count of [300, 2000]) {
  t.test(`${count} streams`, { skip: descriptorLimit < count * 4 + 500 && `only ${descriptorLimit} descriptors` }, async t => {
    const upstreams: Socket[] = []
    const rig = await startRig(t, socket => {
      upstreams.push(socket)
      socket.write(HEAD + event('first'))
    }, { MAX_CONCURRENT_REQUESTS: String(count) })
    const request = post('/v1/chat/completions', '{"stream":true}', { connection: 'close' })
    const tails: string[] = []
    let ended = 0
    for (let i = 0; i < count; i++) {
      const socket = connect(rig.gateway.port, '127.0.0.1', () => socket.write(request))
      socket.on('data', chunk => { tails[i] = ((tails[i] ?? '') + chunk.toString()).slice(-60) })
      socket.on('close', () => { ended++ })
      // A listener's backlog is 511: more at once would be tried again by the kernel, a second later.
      if (i % 200 === 199) await eventually(() => tails.filter(tail => tail !== undefined).length > i - 10, 20_000)
    }
    await eventually(() => tails.filter(tail => tail?.includes('first')).length === count, 20_000)
    t.equal(rig.gateway.app.forwarder.inFlight, count, 'all at once')
    for (const socket of upstreams) socket.write(event('second'))
    await eventually(() => tails.every(tail => tail.includes('second')), 20_000)
    for (const socket of upstreams) socket.write('0\r\n\r\n')
    await eventually(() => ended === count, 20_000)
    t.ok(tails.every(tail => tail.endsWith('0\r\n\r\n')), 'every one complete')
    t.equal(rig.upstream.hits(), count)
    await backAtRest(rig)
  })
}
