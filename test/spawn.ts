import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { eventually, type Teardown } from './helper.ts'

export interface Program {
  readonly child: ChildProcess
  /** The exit code, once all output has been read; null where a signal ended it. */
  readonly ended: Promise<number | null>
  readonly out: () => string
  readonly err: () => string
  /** Both, in the order in which they came. */
  readonly output: () => string
}

/**
 * A command line that runs a program in that environment and PATH alone: without
 * what tap adds to child processes, which makes the start of a Node twice as long.
 */
export function commandLine (program: string, args: readonly string[], environment: Record<string, string> = {}): [command: string, args: string[]] {
  const { PATH, NODE_COMPILE_CACHE } = process.env
  const variables = { ...(PATH && { PATH }), ...(NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE }), ...environment }
  return ['env', ['-i', ...Object.entries(variables).map(([name, value]) => `${name}=${value}`), program, ...args]]
}

/** As {@link commandLine}, for Node. */
export function nodeCommand (args: readonly string[], environment?: Record<string, string>): [command: string, args: string[]] {
  return commandLine(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], environment)
}

/**
 * A script of ours as a process of its own, on a port of the system's choice,
 * ended with the test. Of the environment it gets PATH and the settings given.
 */
export function spawnScript (t: Teardown, script: string, settings: Record<string, string> = {}): Program {
  const child = spawn(...nodeCommand([script], { PORT: '0', ...settings }), { stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => { child.kill('SIGKILL') })
  let [out, err, output] = ['', '', '']
  child.stdout.on('data', chunk => { out += chunk; output += chunk })
  child.stderr.on('data', chunk => { err += chunk; output += chunk })
  const ended = once(child, 'close').then(([code]) => code as number | null)
  return { child, ended, out: () => out, err: () => err, output: () => output }
}

export interface GatewayProcess extends Program {
  readonly port: number
  /** Resident memory of the process that was started, in MB. */
  readonly resident: () => number
}

/** A gateway as its users start it; waits until it listens. The log level must be `info`, its default. */
export async function spawnGateway (t: Teardown, settings: Record<string, string>): Promise<GatewayProcess> {
  const program = spawnScript(t, 'src/server.ts', settings)
  const listening = () => [...program.output().matchAll(/"pid":\d+[^\n]*listening at http:\/\/127\.0\.0\.1:(\d+)/g)]
  await eventually(() => listening().length > 0, 20_000, program.output)
  return {
    ...program,
    port: Number(listening()[0]![1]),
    resident: () => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${program.child.pid}/status`, 'utf8'))![1]) / 1024
  }
}
