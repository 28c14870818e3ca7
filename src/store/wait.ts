import { setTimeout as delay } from 'node:timers/promises'
import { StoreFailure } from './failure.ts'

const PAUSE_MS = 1000

/**
 * Tries again, once a second, while a database is away that may come back by
 * itself: it starts later than the gateway, or another process locks it.
 * @param wait how long, milliseconds
 * @param onFailure called after each try but the last, with the time that is left
 * @throws what the last try failed with; at once what no waiting mends
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
