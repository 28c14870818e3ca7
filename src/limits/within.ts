import { setImmediate } from 'node:timers'

/**
 * Waits for a promise, but not longer than `limit` milliseconds. What has
 * arrived meanwhile is read first: a turn of the event loop that took long is not
 * the other side's delay.
 * @throws Error when the time is up, or what the promise is rejected with
 */
export async function within<T> (limit: number, promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => setImmediate(() => reject(new Error(`no answer within ${limit} ms`))), limit)
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
