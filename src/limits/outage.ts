/** Reports that a service stopped answering, or answers again. */
export type OutageReport = (error: Error | undefined) => void

/** Pause after a failure before the next attempt, milliseconds. */
const PAUSE = 250

/**
 * A circuit breaker. After a failure, one request in each pause tries the service
 * and all others skip it, so a service that hangs delays few requests.
 */
export class Outage {
  readonly #report: OutageReport
  #down = false
  #askAgainAt = 0

  /** @param report called once for each change: with the error when an outage begins, without one when it ends */
  constructor (report: OutageReport) {
    this.#report = report
  }

  get isDown (): boolean {
    return this.#down
  }

  /** @param now milliseconds, monotonic */
  mayAsk (now: number): boolean {
    if (!this.#down) return true
    if (now < this.#askAgainAt) return false
    this.#askAgainAt = now + PAUSE
    return true
  }

  failed (error: Error, now: number): void {
    this.#askAgainAt = now + PAUSE
    if (this.#down) return
    this.#down = true
    this.#report(error)
  }

  answered (): void {
    if (!this.#down) return
    this.#down = false
    this.#report(undefined)
  }
}
