import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

const digest = (key: string): Buffer => createHash('sha256').update(key).digest()

/** A set of keys that tells in constant time whether one is among them: neither a key's content nor its length shows. */
export class KeySet {
  readonly #digests: readonly Buffer[]

  constructor (keys: readonly string[]) {
    this.#digests = keys.map(digest)
  }

  has (key: string | undefined): boolean {
    if (key === undefined) return false
    const candidate = digest(key)
    let found = false
    // No early end: the time must not tell which key it was.
    for (const known of this.#digests) found = timingSafeEqual(known, candidate) || found
    return found
  }
}

const BEARER = /^bearer +(\S+)$/i

/** The key that a request presents: `Authorization: Bearer`, or else `x-api-key`. */
export function presentedKey (headers: IncomingHttpHeaders): string | undefined {
  const bearer = BEARER.exec(headers.authorization ?? '')?.[1]
  if (bearer !== undefined) return bearer
  const own = headers['x-api-key']
  return typeof own === 'string' ? own : undefined
}
