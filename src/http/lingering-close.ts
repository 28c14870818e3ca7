import type { IncomingMessage, ServerResponse } from 'node:http'

/** How long a refused upload is read and dropped before the connection is cut, milliseconds. */
const LINGER = 1000

/**
 * Ends an answer whose request is still arriving. Closing at once would reset
 * the connection (unread bytes are in the receive buffer), and the reset can
 * overtake the answer, which the client then never reads. So the rest is read
 * and dropped for a bounded time first, as nginx's lingering_close does.
 */
export function lingeringClose (request: IncomingMessage, response: ServerResponse): void {
  const finish = () => {
    clearTimeout(timer)
    response.end()
  }
  const timer = setTimeout(finish, LINGER)
  request.once('end', finish)
  response.once('close', () => clearTimeout(timer))
  request.on('data', drop)
  request.resume()
}

function drop (): void {}
