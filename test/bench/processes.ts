// Starting, measuring and ending the processes of a bench. Linux only: the
// figures come from /proc.
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { listeners } from '../listeners.ts'

const children = new Set<ChildProcess>()

/** Starts a process that {@link endAll} ends. */
export function start (command: string, args: string[], options: SpawnOptions = {}): ChildProcess {
  const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'inherit'], ...options })
  children.add(child)
  child.once('exit', () => children.delete(child))
  child.on('error', () => children.delete(child))
  return child
}

/** Ends one process, by its id, and waits until it is gone. */
export async function end (child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 3000)
  await gone
  clearTimeout(timer)
}

export async function endAll (): Promise<void> {
  await Promise.all([...children].map(end))
}

/** Runs one of this folder's scripts with the bench's own Node; its stdin's end is its signal to leave. */
export function startScript (name: string, args: unknown, options: SpawnOptions = {}): ChildProcess {
  return start(process.execPath, [`${import.meta.dirname}/${name}`, JSON.stringify(args)], options)
}

export type Report = Record<string, number>

/** What a load script reports, line by line: `{"phase":…}` first, figures last. */
export async function runLoad (args: unknown, onPhase: (phase: string) => void | Promise<void> = () => {}): Promise<Report> {
  const child = startScript('load.ts', args, { stdio: ['pipe', 'pipe', 'inherit'] })
  let report: Report | undefined
  for await (const line of createInterface(child.stdout!)) {
    const message = JSON.parse(line)
    if (typeof message.phase === 'string') await onPhase(message.phase)
    else report = message
  }
  if (report === undefined) throw new Error('the load script ended without a report')
  return report
}

/** The process's id and those of its descendants. */
export function processTree (root: number): number[] {
  const all = [root]
  for (const pid of all) {
    try {
      all.push(...readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number))
    } catch { /* ended meanwhile */ }
  }
  return all
}

/** CPU seconds used by the processes so far, all threads, as the scheduler accounts them (nanoseconds, not ticks). */
export function cpuSeconds (pids: number[]): number {
  let nanoseconds = 0
  for (const pid of pids) {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      try {
        nanoseconds += threadNanoseconds(pid, task)
      } catch { /* ended meanwhile */ }
    }
  }
  return nanoseconds / 1e9
}

/** CPU seconds used by the event loop of a process, which is its first thread. */
export const loopSeconds = (pid: number): number => threadNanoseconds(pid, pid) / 1e9

function threadNanoseconds (pid: number, thread: number | string): number {
  return Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ', 1)[0])
}

function statusKilobytes (pids: number[], field: string): number {
  let sum = 0
  for (const pid of pids) sum += Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0)
  return sum
}

/** Resident memory, KB. */
export const residentKilobytes = (pids: number[]): number => statusKilobytes(pids, 'VmRSS')

/** Highest resident memory since {@link resetPeak}, KB. */
export const peakKilobytes = (pids: number[]): number => statusKilobytes(pids, 'VmHWM')

export function resetPeak (pids: number[]): void {
  for (const pid of pids) writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

/** Waits until the port answers an HTTP request with anything. */
export async function untilAnswers (port: number, path = '/', child?: ChildProcess, timeout = 60_000): Promise<void> {
  const began = performance.now()
  while (performance.now() - began < timeout) {
    if (await answers(port, path)) return
    if (child !== undefined && child.exitCode !== null) throw new Error(`it ended with code ${child.exitCode}`)
    await sleep(2)
  }
  throw new Error(`nothing answers on port ${port}`)
}

/** Waits until that many sockets listen on the port, as they can with SO_REUSEPORT. */
export async function untilListening (port: number, sockets: number): Promise<void> {
  for (let i = 0; i < 2000 && listeners(port) < sockets; i++) await sleep(5)
  if (listeners(port) < sockets) throw new Error(`fewer than ${sockets} processes listen on port ${port}`)
}

function answers (port: number, path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    const done = (answered: boolean) => {
      socket.destroy()
      resolve(answered)
    }
    socket.on('connect', () => socket.write(`GET ${path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n`))
    socket.on('data', () => done(true))
    socket.on('error', () => done(false))
    socket.on('close', () => done(false))
  })
}
