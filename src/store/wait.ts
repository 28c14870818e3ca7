import { setTimeout as delay } from 'node:timers/promises'
import { StoreFailure } from './failure.ts'

const PAUSE_MS = 1000

/**
 * Retries once a second while a database does not answer and may do so later: it
 * starts after the gateway, or another process holds a lock.
 * @param wait the longest wait, milliseconds
 * @param onFailure called after each failed try but the last, with the remaining milliseconds
 * @throws the error of the last try; at once an error that waiting cannot mend
 */
export async function untilReachable<T> (work: () => Promise<T>, wait: number, onFailure: (failure: StoreFailure, left: number) => void): Promise<T> {
  const until = performance.now() + wait
  for (;;) {
    try {
      return await work()
    } catch (error) {
      const left = until - performance.now()
      if (!(error instanceof StoreFailure && error.passing) || left <= 0) throw error
      onFailure(error, left)
      await delay(Math.min(PAUSE_MS, left))
    }
  }
}
