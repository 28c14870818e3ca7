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
 * @param onError also called for each failed attempt to connect
 */
export async function connectRedis (url: string, { onError, onReady }: { onError: (error: Error) => void, onReady: () => void }): Promise<Redis> {
  const redis = new Redis(url, {
    connectionName: 'model-gateway',
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: SILENT,
    socketTimeout: SILENT,
    retryStrategy: attempt => Math.min(attempt * 100, 1000)
  })
  redis.on('error', onError)
  redis.on('ready', onReady)
  // onError has reported this error already.
  await once(redis, 'ready', { signal: AbortSignal.timeout(START) }).catch(() => {})
  return redis
}
