import { once } from 'node:events'
import { Redis } from 'ioredis'

/** Longest wait for the connection when the gateway starts, milliseconds. */
const START = 1000
/** A connection without an answer for this time is closed, milliseconds. */
const SILENT = 2000

/**
 * A client whose commands fail at once without a connection and are not repeated.
 * Resolves after the first attempt to connect, successful or not; it goes on
 * trying.
 * @param url redis:// or rediss://, with user, password and database number
 * @param onLost called when the connection closes, but for a disconnect() of the gateway's own, and for each failed attempt to connect
 */
export async function connectRedis (url: string, { onLost, onReady }: { onLost: (error: Error) => void, onReady: () => void }): Promise<Redis> {
  const redis = new Redis(url, {
    connectionName: 'model-gateway',
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: SILENT,
    socketTimeout: SILENT,
    retryStrategy: attempt => Math.min(attempt * 100, 1000)
  })
  redis.on('error', onLost)
  // A service that ends closes the connection without an error.
  redis.on('reconnecting', () => onLost(new Error('the connection was closed')))
  redis.on('ready', onReady)
  // onLost has reported this error already.
  await once(redis, 'ready', { signal: AbortSignal.timeout(START) }).catch(() => {})
  return redis
}
