import { randomUUID } from 'node:crypto'

// Printable, no separators of logs or headers, bounded.
const SANE = /^[\w.:@=+/-]{1,128}$/

/** The id of a request: what a trusted peer sent, where that is sane; else a new one. */
export function requestId (received: string | string[] | undefined, trusted: boolean): string {
  return trusted && typeof received === 'string' && SANE.test(received) ? received : randomUUID()
}
