/** Reports that a service stopped answering, or answers again. */
export type OutageReport = (error: Error | undefined) => void

/** Pause after a failure before the next attempt, milliseconds. */
const PAUSE = 250
/** Questions in a row, each asked after the one before had failed, that make an outage. */
const FAILURES = 3

/**
 * A circuit breaker. A single late answer is no outage: it concerns its own
 * request only. After several failures in a row, or a closed connection, one
 * request in each pause tries the service and all others skip it: a service that
 * hangs delays few requests. All times are in milliseconds and never fall.
 */
export class Outage {
  readonly #report: OutageReport
  #down = false
  #askAgainAt = 0
  /** Failures since the last answer, and when the last of them was counted. */
  #failures = 0
  #lastFailure = -Infinity

  /** @param report called once for each change: with the error when an outage begins, without one when it ends */
  constructor (report: OutageReport) {
    this.#report = report
  }

  get isDown (): boolean {
    return this.#down
  }

  mayAsk (now: number): boolean {
    if (!this.#down) return true
    if (now < this.#askAgainAt) return false
    this.#askAgainAt = now + PAUSE
    return true
  }

  /**
   * A question had no answer, or not in time. Questions that were under way
   * together count as one failure: one delay of the service makes them all late.
   * @param asked when the question was sent
   */
  failed (error: Error, asked: number, now: number): void {
    if (asked < this.#lastFailure) return
    this.#lastFailure = now
    this.#failures++
    if (this.#failures >= FAILURES) this.lost(error, now)
  }

  /** The service cannot be asked: its connection is closed. */
  lost (error: Error, now: number): void {
    this.#askAgainAt = now + PAUSE
    if (this.#down) return
    this.#down = true
    this.#report(error)
  }

  answered (): void {
    this.#failures = 0
    if (!this.#down) return
    this.#down = false
    this.#report(undefined)
  }
}
