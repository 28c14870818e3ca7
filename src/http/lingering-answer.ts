import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'

/** Milliseconds for which a refused upload is read and dropped before its connection is closed. */
const LINGER = 1000

/**
 * The body of an answer to a request that is still arriving. It ends only when the
 * rest of the request has been read and dropped, or after a bounded time. To
 * close at once would reset the connection, because unread bytes are in the
 * receive buffer, and the reset can overtake the answer. nginx calls this
 * lingering_close.
 */
export function lingeringAnswer (body: string, request: IncomingMessage): Readable {
  return Readable.from((async function * () {
    yield Buffer.from(body)
    await requestEnd(request)
  })(), { objectMode: false })
}

function requestEnd (request: IncomingMessage): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(finish, LINGER)
    function finish (): void {
      clearTimeout(timer)
      resolve()
    }
    request.once('end', finish).once('close', finish).on('data', () => {})
    request.resume()
  })
}
