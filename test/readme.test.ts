// The README is run: each of its curl lines as it would be pasted, against the
// demo. And what it and its neighbours list is what there is.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import type { TSchema } from '@sinclair/typebox'
import { test } from 'tap'
import { ConfigSchema, loadConfig } from '../src/config.ts'
import { PNG_SIGNATURE } from './clients.ts'
import { eventually } from './helper.ts'
import { nodeCommand } from './spawn.ts'

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')
const readme = read('README.md')
const manifest = JSON.parse(read('package.json'))

/** Each command of the README's `sh` blocks, by the comment above it. */
const commands = Object.fromEntries([...readme.matchAll(/^```sh\n([^]*?)^```$/gm)].flatMap(([, block]) =>
  block!.trim().split(/\n\n+/).map(part => {
    const [, comment, command] = /^# (.*)\n([^]*)$/.exec(part)!
    return [comment!, command!]
  })))

const json = (text: string) => JSON.parse(text)

/** What each command must bring: its output, the files of its directory, and in how many pieces the output came. */
const EXPECTED: Record<string, (out: string, file: (name: string) => Buffer, pieces: number) => unknown> = {
  'list the models': out => json(out).length === 7,
  'only the image models': out => json(out).length === 4 && json(out)[0].id === 'sdxl',
  'one model': out => json(out).contextLength === 1048576 && json(out).type === 'chat',
  'chat; no model is named, so the default one answers': out => /model gemini-1\.5-flash\. .*Hello$/.test(json(out).choices[0].message.content),
  'chat, streamed token by token': (out, _file, pieces) => pieces > 5 && out.endsWith('data: [DONE]\n\n'),
  'an image, to image.png': (out, file) => out === '' && file('image.png').toString('hex', 0, 8) === PNG_SIGNATURE,
  'speech, to speech.wav': (out, file) => out === '' && file('speech.wav').toString('latin1', 8, 12) === 'WAVE',
  'and back to text': out => /model whisper-1\. .* 48044 bytes/.test(json(out).text)
}

const hasCurl = (() => {
  try {
    execFileSync('curl', ['--version'])
    return true
  } catch {
    return Boolean(process.env.CI)
  }
})()

test('every curl line works as pasted', { skip: hasCurl ? false : 'no curl on this machine' }, async t => {
  t.strictSame(Object.keys(commands), Object.keys(EXPECTED))
  const child = spawn(...nodeCommand(['scripts/demo.ts'], { PORT: '0' }), { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(async () => {
    const closed = once(child, 'close')
    child.kill()
    await closed
  })
  let said = ''
  child.stdout.on('data', chunk => { said += chunk })
  await eventually(() => said.includes('Ctrl-C'), 20_000, () => said)
  const address = /(http:\S+)\/v1\/models/.exec(said)![1]!

  const cwd = t.testdir({})
  for (const [comment, command] of Object.entries(commands)) {
    t.match(command, 'http://localhost:8000/')
    const pasted = spawn('sh', ['-ec', command.replaceAll('http://localhost:8000', address)], { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    let pieces = 0
    pasted.stdout.on('data', chunk => {
      out += chunk
      pieces++
    })
    t.strictSame(await once(pasted, 'close'), [0, null], comment)
    t.ok(EXPECTED[comment]!(out, name => readFileSync(join(cwd, name)), pieces), `${comment}: ${out.slice(0, 200)}`)
  }
})

test('the files that the README points to are there, and its scripts', t => {
  for (const [, target] of readme.matchAll(/\]\((?!http)([^)]+)\)/g)) t.ok(existsSync(new URL(`../${target}`, import.meta.url)), target!)
  for (const [, script] of readme.matchAll(/npm run (\w+)/g)) t.ok(manifest.scripts[script!], script!)
  t.end()
})

const settings = Object.entries<TSchema>(ConfigSchema.properties)
const shown = (value: unknown) => value === undefined || (Array.isArray(value) && value.length === 0) ? '' : String(value)
const defaults = settings.map(([name, schema]) => [name, shown(schema.default)])

test('the README lists every setting with its default', t => {
  const rows = [...readme.matchAll(/^\| `([A-Z_]+)` \| (.*?) \| (.*) \|$/gm)]
  t.strictSame(rows.map(([, name, value]) => [name, value === 'none' ? '' : value!.replaceAll('`', '')]), defaults)
  t.end()
})

test('.env.example lists every setting with its default and unit, and works as it is', t => {
  const example = read('.env.example')
  const entries = [...example.matchAll(/^# (.*)\n#([A-Z_]+)=(.*)$/gm)]
  t.strictSame(entries.map(([, , name, value]) => [name, value]), defaults)
  for (const [, comment, name] of entries) {
    const [unit] = /seconds|bytes/.exec(ConfigSchema.properties[name as keyof typeof ConfigSchema.properties].must) ?? []
    if (unit !== undefined) t.match(comment, unit, name!)
    t.match(readme, `| ${comment!.replace('* for any', '`*` for any')} |`, `${name}: the README says the same`)
  }
  t.strictSame(loadConfig(parseEnv(example)), loadConfig({}))
  t.strictSame(loadConfig(parseEnv(example.replace(/^#(?=[A-Z])/gm, ''))), loadConfig({}))
  t.end()
})

test('docs/dependencies.md has a reason for every dependency, and for nothing else', t => {
  const [, production, development, pages, client] = read('docs/dependencies.md').split(/^## .*$/m)
  const ofPages = JSON.parse(read('pages/package.json')).devDependencies
  const ofClient = JSON.parse(read('client/package.json'))
  for (const [part, listed] of [
    [production, manifest.dependencies], [development, manifest.devDependencies], [pages, ofPages],
    [client, { ...ofClient.dependencies, ...ofClient.peerDependencies, ...ofClient.devDependencies }]
  ] as const) {
    const rows = [...part!.matchAll(/^\| `(\S+)` \| (.*) \|$/gm)]
    t.strictSame(rows.map(([, name]) => name).sort(), Object.keys(listed).sort())
    for (const [, name, reason] of rows) t.match(reason, /^\S.{10,}\.$/, name!)
  }
  t.end()
})
