import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { Test } from 'tap'
import { tempDir } from '../catalog/helper.ts'
import { makeCertificates } from '../faults/certificates.ts'
import { freePort } from '../free-port.ts'
import { eventually } from '../helper.ts'

/** A reverse proxy in front of a gateway, by TLS. */
export interface ReverseProxy {
  readonly port: number
  /** The authority that signed its certificate, PEM. */
  readonly ca: string
}

/** The n-th example of docs/deployment.md in that language. */
function example (language: string, place: number): string {
  const docs = readFileSync(new URL('../../docs/deployment.md', import.meta.url), 'utf8')
  return [...docs.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'gm'))][place]![1]!
}

/** Replaces what must be there: an example that has changed is to be noticed. */
function replaceIn (text: string, replacements: Array<[RegExp, string]>): string {
  for (const [pattern, replacement] of replacements) {
    if (!pattern.test(text)) throw new Error(`the example has no ${pattern}`)
    text = text.replace(pattern, replacement)
  }
  return text
}

/** Where a distribution puts the program of each proxy. */
const PROGRAMS = { nginx: ['/usr/sbin/nginx', '/usr/bin/nginx'], haproxy: ['/usr/sbin/haproxy', '/usr/bin/haproxy'], caddy: ['/usr/bin/caddy'] }

/** The name of a proxy that can be started. */
export type ProxyName = keyof typeof PROGRAMS

const programOf = (name: ProxyName) => PROGRAMS[name].find(path => existsSync(path))

/** Why the proxy cannot be tested here; false where it can. A build server must have it. */
export const proxyMissing = (name: ProxyName) => programOf(name) !== undefined || process.env.CI ? false : `no ${name} on this machine`

/** The places of a test's own that stand in for those of the example. */
interface Places { folder: string, port: number, pem: string, key: string, both: string, gateways: number[] }

/** How each proxy's example becomes a whole configuration with places of the test's own, and how it is started. */
const SETUPS: Record<ProxyName, (text: string, places: Places) => { configuration: string, args: (file: string) => string[] }> = {
  nginx: (text, { folder, port, pem, key, gateways }) => {
    const server = replaceIn(text, [[/listen 443 ssl/, `listen 127.0.0.1:${port} ssl`], [/\/etc\/ssl\/\S+\.pem/, pem], [/\/etc\/ssl\/\S+\.key/, key], [/127\.0\.0\.1:8000/, `127.0.0.1:${gateways[0]}`]])
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${folder}/${name};`).join('\n')
    return { configuration: `pid ${folder}/pid;\nerror_log ${folder}/error.log;\nevents {}\nhttp {\naccess_log off;\n${temporary}\n${server}}\n`, args: file => ['-e', join(folder, 'error.log'), '-c', file, '-g', 'daemon off;'] }
  },
  haproxy: (text, { port, both, gateways }) => ({
    configuration: replaceIn(text, [[/bind :443/, `bind 127.0.0.1:${port}`], [/\/etc\/haproxy\/\S+\.pem/, both], [/127\.0\.0\.1:8000/, `127.0.0.1:${gateways[0]}`], [/127\.0\.0\.1:8001/, `127.0.0.1:${gateways[1] ?? gateways[0]}`]]),
    args: file => ['-db', '-f', file]
  }),
  caddy: (text, { port, pem, key, gateways }) => ({
    configuration: `{\nadmin off\nauto_https disable_redirects\n}\n${replaceIn(text, [[/^models\.example \{/, `https://localhost:${port} {\nbind 127.0.0.1\ntls ${pem} ${key}`], [/127\.0\.0\.1:8000/, `127.0.0.1:${gateways[0]}`]])}`,
    args: file => ['run', '--adapter', 'caddyfile', '--config', file]
  })
}

/**
 * Starts a proxy with the configuration that docs/deployment.md shows, on a port
 * of the system's choice; ended with the test.
 * @param gateways ports of the gateways behind it
 * @param edit changes the example as its text says, such as for a path
 */
export async function startProxy (t: Test, name: ProxyName, gateways: number[], { place = 0, edit = (text: string) => text } = {}): Promise<ReverseProxy> {
  const folder = tempDir(t)
  mkdirSync(join(folder, 'certificates'))
  // nginx's workers are another user's, and make files of their own.
  chmodSync(folder, 0o777)
  const certificates = makeCertificates(join(folder, 'certificates'))
  const file = (name: string, content: string) => { writeFileSync(join(folder, name), content); return join(folder, name) }
  const port = await freePort()
  const { configuration, args } = SETUPS[name](edit(example(name === 'caddy' ? 'caddyfile' : name, place)), {
    folder,
    port,
    pem: file('proxy.pem', certificates.good.cert),
    key: file('proxy.key', certificates.good.key),
    both: file('both.pem', certificates.good.cert + certificates.good.key),
    gateways
  })
  const child = spawn(programOf(name)!, args(file('configuration', configuration)), { env: { PATH: process.env.PATH, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(child, 'close')
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => { output += chunk })
  t.teardown(async () => {
    child.kill('SIGTERM')
    const killed = setTimeout(() => child.kill('SIGKILL'), 2000)
    await ended
    clearTimeout(killed)
  })
  let listening = false
  const knock = () => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => { listening = true; socket.destroy() })
    socket.once('error', () => { if (child.exitCode === null) setTimeout(knock, 20) })
  }
  knock()
  await eventually(() => listening || child.exitCode !== null, 20_000, () => output)
  if (!listening) throw new Error(`${name} ended: ${output}`)
  return { port, ca: readFileSync(certificates.authority, 'utf8') }
}
