import { GatewayError } from '../errors.ts'
import { WindowCounts } from './window-counts.ts'

/** Wrong keys that an address may present in a minute. */
const ALLOWED = 10
const MINUTE = 60_000
/**
 * Addresses counted at the same time, about 3 MB. An address without wrong keys can
 * be refused because of others only above ALLOWED * ADDRESSES = 163,840 wrong keys
 * in a minute, and never with a right key.
 */
const ADDRESSES = 16_384

/** Refusals in a minute: wrong keys, and how many of them were above the limit. */
export interface WrongKeyReport {
  readonly wrongKeys: number
  readonly limited: number
}

/** Counts wrong keys by address, and limits them. */
export class WrongKeys {
  readonly #counts = new WindowCounts(MINUTE, ADDRESSES)
  readonly #onLimited: (address: string) => void
  #wrongKeys = 0
  #limited = 0

  /** @param onLimited called once for each address above the limit, and again after a minute if it continues */
  constructor (onLimited: (address: string) => void) {
    this.#onLimited = onLimited
  }

  /**
   * Counts a wrong key.
   * @param now milliseconds, monotonic
   * @returns the error for the client: 401, or 429 above the limit
   */
  refusal (address: string, now: number): GatewayError {
    const { count, rest } = this.#counts.add(address, now)
    this.#wrongKeys++
    if (count <= ALLOWED) return invalidKey()
    this.#limited++
    if (count === ALLOWED + 1) this.#onLimited(address)
    return new GatewayError('rate_limit_exceeded', {
      message: 'Too many wrong API keys from this address.',
      headers: { 'retry-after': String(Math.max(1, Math.ceil(rest / 1000))) }
    })
  }

  /** Refusals since the last call; undefined if there were none. */
  takeReport (): WrongKeyReport | undefined {
    if (this.#wrongKeys === 0) return undefined
    const report = { wrongKeys: this.#wrongKeys, limited: this.#limited }
    this.#wrongKeys = 0
    this.#limited = 0
    return report
  }
}

/** The error for a missing or wrong key. */
export function invalidKey (): GatewayError {
  return new GatewayError('invalid_api_key', { headers: { 'www-authenticate': 'Bearer' } })
}
