// `npm start` is what service managers and people run. A signal that npm gets
// must reach the gateway: it drains, finishes the stream under way, and ends;
// nothing stays behind on the port. On a Node that is too old it says which one
// it needs.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { test, type Test } from 'tap'
import { startFakeInference } from '../fake-inference.ts'
import { eventually } from '../helper.ts'
import { commandLine } from '../spawn.ts'

const checkNode = new URL('../../scripts/check-node.cjs', import.meta.url).pathname

/** `npm start` in a process group of its own, as a terminal starts it. */
async function npmStart (t: Test, service: string) {
  const environment = { PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'info', INFERENCE_SERVICE_URL: service, SHUTDOWN_GRACE: '10' }
  const child = spawn(...commandLine('npm', ['start'], environment), { detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => { output += chunk })
  const listening = () => /"pid":(\d+)[^\n]*listening at http:\/\/127\.0\.0\.1:(\d+)/.exec(output)
  const ended = once(child, 'close').then(([code]) => code as number | null)
  t.teardown(() => {
    for (const id of [-child.pid!, Number(listening()?.[1] ?? child.pid)]) {
      try { process.kill(id, 'SIGKILL') } catch { /* ended already */ }
    }
  })
  await eventually(() => listening() !== null, 60_000, () => output)
  const [, pid, port] = listening()!
  return { npm: child.pid!, pid: Number(pid), url: `http://127.0.0.1:${port}`, ended, output: () => output }
}

const chat = (url: string) => fetch(`${url}/v1/chat/completions`, {
  method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"stream":true,"messages":[]}'
})

for (const [name, signal, toGroup] of [
  ['SIGTERM to npm, as a service manager sends it', 'SIGTERM', false],
  ['SIGINT to the group, as a terminal sends it on Ctrl-C', 'SIGINT', true]
] as const) {
  test(name, async t => {
    const service = await startFakeInference({ tokens: 20, tokensPerSecond: 20 })
    t.teardown(() => service.close())
    const gateway = await npmStart(t, service.url)
    const answer = await chat(gateway.url)
    process.kill(toGroup ? -gateway.npm : gateway.npm, signal)
    await eventually(() => !existsSync(`/proc/${gateway.pid}`) || service.requests.length > 0)
    t.match(await answer.text(), /data: \[DONE\]\n\n$/, 'the stream under way is finished')
    t.equal(await gateway.ended, 0, 'npm ends with the gateway\'s exit code')
    t.notOk(existsSync(`/proc/${gateway.pid}`), 'the gateway has ended')
    await t.rejects(fetch(`${gateway.url}/healthz`), 'nothing listens')
  })
}

test('SIGHUP does not end it', async t => {
  const service = await startFakeInference({ tokens: 5 })
  t.teardown(() => service.close())
  const gateway = await npmStart(t, service.url)
  process.kill(gateway.pid, 'SIGHUP')
  await setTimeout(300)
  t.match(await (await chat(gateway.url)).text(), /data: \[DONE\]\n\n$/)
})

test('on a Node that is too old it says which one it needs', t => {
  const folder = t.testdir({ 'package.json': '{"engines":{"node":">=99.1"}}', scripts: { 'check-node.cjs': t.fixture('symlink', checkNode) } })
  const started = spawnSync(process.execPath, ['--preserve-symlinks-main', '--preserve-symlinks', join(folder, 'scripts/check-node.cjs')], { encoding: 'utf8' })
  t.equal(started.status, 1)
  t.equal(started.stderr, `The model gateway needs Node.js >=99.1. This is Node.js ${process.version} (${process.execPath}).\n`)
  t.equal(spawnSync(process.execPath, [checkNode]).status, 0, 'the Node of this project is good enough')
  t.end()
})

/** The machine's own Node, where it is older than the project's: it must be able to run the check. */
const oldNode = ['/usr/bin/node', '/usr/local/bin/node'].find(path => /^v([0-9]|1\d|2[0-3])\./.test(spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout ?? ''))

test('an old Node can run the check', { skip: oldNode === undefined && 'this machine has no older Node' }, t => {
  const started = spawnSync(oldNode!, [checkNode], { encoding: 'utf8' })
  t.equal(started.status, 1)
  t.match(started.stderr, /^The model gateway needs Node\.js >=24\.\d+\. This is Node\.js v\d+\.\d+\.\d+ \(\S+\)\.\n$/)
  t.end()
})
