import { setImmediate } from 'node:timers'

/**
 * Waits for a promise for at most `limit` milliseconds. Data that has arrived is
 * read before the limit is checked, so that a long turn of the event loop does not
 * count as a delay of the other side.
 * @throws Error when the time is up; the promise's own rejection
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
