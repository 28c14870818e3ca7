import cluster, { type Worker } from 'node:cluster'
import { availableParallelism } from 'node:os'
import type { Config } from './config.ts'

/** From a worker: it takes no more connections, a successor may start. */
export const LEAVING = 'leaving'
/** To a worker: the gateway ends. */
export const REFUSE = 'refuse'

/** How long workers have, behind SHUTDOWN_GRACE, before they are killed, milliseconds: one that hangs must not keep the gateway from ending. */
const LATE = 2000

/** Waits before a worker that died is replaced, milliseconds: doubled for each that dies young. */
const RESPAWN = { first: 100, most: 5000, young: 5000 }

/** `WORKERS` → a number of processes; `auto` is one for each core. */
export function workerCount (setting: Config['WORKERS']): number {
  return setting === 'auto' ? availableParallelism() : setting
}

/** One worker's part of a limit that holds for the gateway as a whole: the first workers take the remainder. */
export function share (total: number, workers: number, index: number): number {
  return Math.floor(total / workers) + (index < total % workers ? 1 : 0)
}

/**
 * Runs the gateway in several processes on one port, through node:cluster: the
 * primary accepts and hands connections out in turn, so none is lost when a
 * worker stops. With SO_REUSEPORT those waiting in the stopped worker's own
 * accept queue would be reset.
 * @returns the exit code, when all workers have ended
 */
export async function superviseWorkers (workers: number, config: Config): Promise<number> {
  const { promise: ended, resolve: end } = Promise.withResolvers<number>()
  const places = new Map<Worker, number>()
  let stopping = false
  /** The settings are sound: a worker has listened. */
  let served = false
  let youngDeaths = 0

  function start (place: number): void {
    const worker = cluster.fork({
      MAX_CONCURRENT_REQUESTS: Math.max(1, share(config.MAX_CONCURRENT_REQUESTS, workers, place)),
      MAX_QUEUED_REQUESTS: share(config.MAX_QUEUED_REQUESTS, workers, place)
    })
    const startedAt = Date.now()
    let succeeded = false
    const succeed = (delay: number) => {
      if (succeeded || stopping) return
      succeeded = true
      setTimeout(() => { if (!stopping) start(place) }, delay)
    }
    places.set(worker, place)
    worker.once('listening', () => {
      served = true
      // Until now it may have had no ears for it.
      if (stopping) worker.send(REFUSE)
    })
    worker.on('message', message => { if (message === LEAVING) succeed(0) })
    worker.once('exit', code => {
      places.delete(worker)
      // A worker that cannot start says why, and so would each of its successors; but once
      // some have, it is a file or a database that is away for now.
      if (!served && code !== 0 && code !== null) return stop(code)
      if (stopping) {
        if (places.size === 0) end(exitCode)
        return
      }
      youngDeaths = Date.now() - startedAt < RESPAWN.young ? youngDeaths + 1 : 0
      succeed(Math.min(RESPAWN.first * 2 ** youngDeaths, RESPAWN.most))
    })
  }

  let exitCode = 0
  function stop (code: number): void {
    if (!stopping) exitCode = code
    stopping = true
    if (places.size === 0) return end(exitCode)
    for (const worker of places.keys()) if (worker.isConnected()) worker.send(REFUSE)
    setTimeout(() => { for (const worker of places.keys()) worker.process.kill('SIGKILL') }, config.SHUTDOWN_GRACE * 1000 + LATE).unref()
  }
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => stop(0))

  for (let place = 0; place < workers; place++) start(place)
  return await ended
}
