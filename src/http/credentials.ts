import type { Config } from '../config.ts'
import { KeySet } from './keys.ts'

type KeySettings = Pick<Config, 'API_KEYS' | 'ADMIN_API_KEY' | 'INFERENCE_API_KEY'>

/**
 * The present keys. They are looked up at each request, because they can be
 * replaced while the gateway runs.
 */
export class Credentials {
  #apiKeys: KeySet
  #adminKeys: KeySet
  #inferenceKey: string | undefined

  constructor (settings: KeySettings) {
    this.#apiKeys = new KeySet(settings.API_KEYS)
    this.#adminKeys = new KeySet(settings.ADMIN_API_KEY, 'admin')
    this.#inferenceKey = settings.INFERENCE_API_KEY
  }

  /** The keys of clients; of size 0 if the gateway is open to all. */
  get apiKeys (): KeySet {
    return this.#apiKeys
  }

  /** The keys to `/admin`; of size 0 if there is no `/admin`. */
  get adminKeys (): KeySet {
    return this.#adminKeys
  }

  /** The key that replaces the client's at the inference service, if there is one. */
  get inferenceKey (): string | undefined {
    return this.#inferenceKey
  }

  /**
   * Replaces the keys. Requests under way are not affected.
   * @throws Error if a list of keys would become empty, or an empty one not: routes are registered at the start
   */
  renew (settings: KeySettings): void {
    const next = new Credentials(settings)
    const before = [this.#apiKeys.size, this.#adminKeys.size]
    const after = [next.#apiKeys.size, next.#adminKeys.size]
    if (before.some((size, i) => (size === 0) !== (after[i] === 0))) throw new Error('API_KEYS and ADMIN_API_KEY cannot be set or unset while the gateway runs, only changed.')
    this.#apiKeys = next.#apiKeys
    this.#adminKeys = next.#adminKeys
    this.#inferenceKey = next.#inferenceKey
  }
}
