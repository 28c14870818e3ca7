import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

const digest = (key: string): Buffer => createHash('sha256').update(key).digest()

/** A key, and the name of its holder in the log, the audit and the rate limit. */
export interface NamedKey {
  readonly name: string
  readonly key: string
}

/**
 * An entry of API_KEYS or ADMIN_API_KEY: `NAME:KEY`, or `KEY`. The text before the
 * first colon is the name, so a key with a colon needs a name or a colon before it
 * (`:a:b`).
 * @param kind prefix of the name of an unnamed key; the first eight hexadecimal digits of the key's SHA-256 follow
 */
export function namedKey (entry: string, kind = 'key'): NamedKey {
  const colon = entry.indexOf(':')
  const key = entry.slice(colon + 1)
  const name = entry.slice(0, Math.max(colon, 0))
  return { name: name === '' ? `${kind}-${digest(key).toString('hex', 0, 4)}` : name, key }
}

/** A set of keys with a constant-time look-up, which reveals neither content nor length of a key. */
export class KeySet {
  readonly #known: readonly { readonly name: string, readonly digest: Buffer }[]

  /** @param entries as {@link namedKey} reads them */
  constructor (entries: readonly string[], kind?: string) {
    this.#known = entries.map(entry => namedKey(entry, kind)).map(({ name, key }) => ({ name, digest: digest(key) }))
  }

  get size (): number {
    return this.#known.length
  }

  /** The name of the key; undefined if it is not in the set. */
  find (key: string | undefined): string | undefined {
    if (key === undefined) return undefined
    const candidate = digest(key)
    let found: string | undefined
    // No early exit: the time must not depend on the key.
    for (const known of this.#known) if (timingSafeEqual(known.digest, candidate)) found = known.name
    return found
  }

  has (key: string | undefined): boolean {
    return this.find(key) !== undefined
  }
}

const BEARER = /^bearer +(\S+)$/i

/** The key that a request presents: `Authorization: Bearer`, else `x-api-key`, else `api-key` (as Azure's clients send it). */
export function presentedKey (headers: IncomingHttpHeaders): string | undefined {
  const bearer = BEARER.exec(headers.authorization ?? '')?.[1]
  const presented = bearer ?? headers['x-api-key'] ?? headers['api-key']
  return typeof presented === 'string' && presented !== '' ? presented : undefined
}
