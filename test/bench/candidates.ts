import { spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, openSync, writeFileSync } from 'node:fs'
import { freePort } from '../free-port.ts'
import { START } from '../start-command.ts'
import { end, processTree, start, startScript, untilAnswers, untilListening } from './processes.ts'

/** A running proxy, or what stands in its place. */
export interface Running {
  readonly port: number
  /** Request headers that this candidate wants beside the load's own. */
  readonly headers: Record<string, string>
  /** Its processes; none for `direct`. */
  pids (): number[]
  stop (): Promise<void>
}

export interface Context {
  /** A folder for configurations and logs, removed at the end. */
  readonly scratch: string
  readonly upstreamPort: number
  /** Processes on the port (nginx, the gateway) of a candidate that can have several. */
  readonly processes?: number
  /** Settings of the gateway for this work, by their environment names. */
  readonly settings?: Record<string, string>
  /** Arguments of Node for the gateway. */
  readonly nodeArguments?: string[]
}

export interface Candidate {
  readonly name: string
  readonly label: string
  /** Throws {@link Unavailable} where its program is not installed. */
  start (context: Context): Promise<Running>
}

/** The candidate cannot take part; the message says why. */
export class Unavailable extends Error {}

/** Open connections that each candidate must be able to hold on both sides. */
const CONNECTIONS = 16384

const ROOT = `${import.meta.dirname}/../..`
const KEY = 'bench-key-0123456789abcdef'

function program (name: string): string {
  for (const folder of [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin']) {
    if (existsSync(`${folder}/${name}`)) return `${folder}/${name}`
  }
  throw new Unavailable('not installed')
}

/** The first line of what a program says of itself. */
export function versionOf (name: string, ...args: string[]): string {
  try {
    const { stdout, stderr } = spawnSync(program(name), args, { encoding: 'utf8' })
    return (stdout + stderr).split('\n', 1)[0]!.trim()
  } catch {
    return 'not installed'
  }
}

async function running (child: ChildProcess, port: number, headers: Record<string, string> = {}): Promise<Running> {
  await untilAnswers(port, '/', child)
  return { port, headers, pids: () => processTree(child.pid!), stop: () => end(child) }
}

/** Starts the gateway as `npm start` does; its log goes to a file. Several processes share the port by `REUSE_PORT`. */
export async function startGateway ({ scratch, upstreamPort, settings = {}, processes = 1, nodeArguments = [] }: Context, headers: Record<string, string> = {}): Promise<Running> {
  const port = await freePort()
  const log = openSync(`${scratch}/gateway-${port}.log`, 'w')
  const children = Array.from({ length: processes }, () => start(process.execPath, [...nodeArguments, ...START.slice(0, -1), `${ROOT}/${START.at(-1)}`], {
    cwd: scratch,
    env: { PATH: process.env.PATH, PORT: String(port), INFERENCE_SERVICE_URL: `http://127.0.0.1:${upstreamPort}`, ...(processes > 1 && { REUSE_PORT: 'true' }), ...settings },
    stdio: ['ignore', log, 'inherit']
  }))
  await untilAnswers(port, '/healthz', children[0])
  await untilListening(port, processes)
  return {
    port,
    headers,
    pids: () => children.flatMap(child => processTree(child.pid!)),
    stop: async () => { await Promise.all(children.map(end)) }
  }
}

export const direct: Candidate = {
  name: 'direct',
  label: 'direct, no proxy',
  start: async ({ upstreamPort }) => ({ port: upstreamPort, headers: {}, pids: () => [], stop: async () => {} })
}

export const nginx: Candidate = {
  name: 'nginx',
  label: 'nginx',
  async start ({ scratch, upstreamPort, processes = 1 }) {
    const port = await freePort()
    const folder = `${scratch}/nginx-${port}`
    mkdirSync(`${folder}/logs`, { recursive: true })
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `  ${name}_temp_path ${folder}/${name};`).join('\n')
    writeFileSync(`${folder}/nginx.conf`, `
worker_processes ${processes};
worker_rlimit_nofile ${CONNECTIONS * 2};
pid ${folder}/nginx.pid;
error_log ${folder}/logs/error.log;
events { worker_connections ${CONNECTIONS}; }
http {
${temporary}
  access_log ${folder}/logs/access.log;
  client_max_body_size 0;
  keepalive_requests 1000000000;
  upstream service { server 127.0.0.1:${upstreamPort}; keepalive 256; keepalive_requests 1000000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096${processes > 1 ? ' reuseport' : ''};
    location / {
      proxy_pass http://service;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Request-Id $request_id;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_buffering off;
      proxy_request_buffering off;
    }
  }
}
`)
    return running(start(program('nginx'), ['-p', folder, '-c', `${folder}/nginx.conf`, '-g', 'daemon off;'], { stdio: 'ignore' }), port)
  }
}

export const haproxy: Candidate = {
  name: 'haproxy',
  label: 'HAProxy',
  async start ({ scratch, upstreamPort }) {
    const port = await freePort()
    const file = `${scratch}/haproxy-${port}.cfg`
    writeFileSync(file, `
global
  maxconn ${CONNECTIONS / 2}
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  option forwardfor
  option http-no-delay
  unique-id-format %{+X}o%ci%cp%Ts%rt
  unique-id-header X-Request-Id
frontend in
  bind 127.0.0.1:${port} backlog 4096
  default_backend service
backend service
  http-reuse always
  server service 127.0.0.1:${upstreamPort}
`)
    return running(start(program('haproxy'), ['-db', '-f', file], { stdio: 'ignore' }), port)
  }
}

function nodePeer (name: string, peer: string, label: string): Candidate {
  return {
    name,
    label,
    async start ({ scratch, upstreamPort }) {
      const port = await freePort()
      const log = openSync(`${scratch}/${name}-${port}.log`, 'w')
      return running(startScript('peers.ts', { peer, port, upstream: `http://127.0.0.1:${upstreamPort}` }, { stdio: ['pipe', log, 'inherit'] }), port)
    }
  }
}

export const bare = nodePeer('bare', 'bare', 'bare node:http + undici')
export const stock = nodePeer('stock', 'stock', 'Fastify + @fastify/http-proxy')

/** Where `npm i --prefix FOLDER @portkey-ai/gateway` put it. */
export function portkeyFolder (): string {
  const folder = process.env.BENCH_PORTKEY
  if (folder === undefined) throw new Unavailable('not installed (set BENCH_PORTKEY to where it is)')
  return `${folder}/node_modules/@portkey-ai/gateway`
}

export const portkey: Candidate = {
  name: 'portkey',
  label: 'Portkey',
  async start ({ upstreamPort }) {
    const script = `${portkeyFolder()}/build/start-server.js`
    if (!existsSync(script)) throw new Unavailable(`no ${script}`)
    const port = await freePort()
    const child = start(process.execPath, [script, `--port=${port}`], { stdio: 'ignore', env: { PATH: process.env.PATH } })
    return running(child, port, { 'x-portkey-provider': 'openai', 'x-portkey-custom-host': `http://127.0.0.1:${upstreamPort}/v1`, authorization: 'Bearer none' })
  }
}

export const gateway: Candidate = {
  name: 'gateway',
  label: 'the gateway',
  start: context => startGateway(context)
}

/** The gateway with a switch for its metrics: see switched-metrics.ts. */
export const switchedGateway: Candidate = {
  name: 'gateway-switched',
  label: 'the gateway',
  start: context => startGateway({ ...context, nodeArguments: ['--import', `${import.meta.dirname}/switched-metrics.ts`] })
}

export const keyedGateway: Candidate = {
  name: 'gateway-keys',
  label: 'the gateway, with API keys',
  start: context => startGateway({ ...context, settings: { API_KEYS: `another-key,${KEY}`, ...context.settings } }, { authorization: `Bearer ${KEY}` })
}
