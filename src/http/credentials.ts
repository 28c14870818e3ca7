import type { Config } from '../config.ts'
import { KeySet } from './keys.ts'

type KeySettings = Pick<Config, 'API_KEYS' | 'ADMIN_API_KEY' | 'INFERENCE_API_KEY'>

/**
 * The keys in force. Whoever checks or sends one asks here at each request: keys
 * are replaced while the gateway runs.
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

  /** The keys that open the gateway; of size 0 where it is open to all. */
  get apiKeys (): KeySet {
    return this.#apiKeys
  }

  /** The keys that open `/admin`; of size 0 where there is none. */
  get adminKeys (): KeySet {
    return this.#adminKeys
  }

  /** What the inference service gets in place of the client's key; undefined: nothing. */
  get inferenceKey (): string | undefined {
    return this.#inferenceKey
  }

  /**
   * Puts other keys in force. Requests under way are not touched.
   * @throws Error where that would open what is closed, or close what is open: routes are made at the start
   */
  renew (settings: KeySettings): void {
    const next = new Credentials(settings)
    const before = [this.#apiKeys.size, this.#adminKeys.size]
    const after = [next.#apiKeys.size, next.#adminKeys.size]
    if (before.some((size, i) => (size === 0) !== (after[i] === 0))) throw new Error('Keys cannot come or go as a whole while the gateway runs.')
    this.#apiKeys = next.#apiKeys
    this.#adminKeys = next.#adminKeys
    this.#inferenceKey = next.#inferenceKey
  }
}
