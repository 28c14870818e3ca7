import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

const digest = (key: string): Buffer => createHash('sha256').update(key).digest()

/** A key and the name by which the log, the audit and the rate limit know its holder. */
export interface NamedKey {
  readonly name: string
  readonly key: string
}

/**
 * An entry of API_KEYS or ADMIN_API_KEY: `NAME:KEY`, or `KEY`. What stands before
 * the first colon is the name, so a key that has a colon itself is written with
 * a name, or with a colon before it (`:a:b`).
 * @param kind what the name of a key without one begins with; the first eight hexadecimal digits of the key's SHA-256 follow
 */
export function namedKey (entry: string, kind = 'key'): NamedKey {
  const colon = entry.indexOf(':')
  const key = entry.slice(colon + 1)
  const name = entry.slice(0, Math.max(colon, 0))
  return { name: name === '' ? `${kind}-${digest(key).toString('hex', 0, 4)}` : name, key }
}

/** A set of keys that tells in constant time whether one is among them: neither a key's content nor its length shows. */
export class KeySet {
  readonly #known: readonly { readonly name: string, readonly digest: Buffer }[]

  /** @param entries as {@link namedKey} reads them */
  constructor (entries: readonly string[], kind?: string) {
    this.#known = entries.map(entry => namedKey(entry, kind)).map(({ name, key }) => ({ name, digest: digest(key) }))
  }

  get size (): number {
    return this.#known.length
  }

  /** The name of the key; undefined where it is none of these. */
  find (key: string | undefined): string | undefined {
    if (key === undefined) return undefined
    const candidate = digest(key)
    let found: string | undefined
    // No early end: the time must not tell which key it was.
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
