import { once } from 'node:events'
import { Redis } from 'ioredis'

/** Longest wait for the connection when the gateway starts, milliseconds. */
const START = 1000
/** A connection that is silent this long while an answer is due is given up, milliseconds. */
const SILENT = 2000

/**
 * A client that never waits for a Redis that is away: a command fails at once
 * where there is no connection, and is not repeated. Resolves when it is
 * connected, or when that has failed; it then goes on trying.
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
  // Its rejection is an error that onLost has told already.
  await once(redis, 'ready', { signal: AbortSignal.timeout(START) }).catch(() => {})
  return redis
}
