/** Says that a service stopped or started to answer. */
export type OutageReport = (error: Error | undefined) => void

/** How long a service that failed is not asked again, milliseconds. */
const PAUSE = 250

/**
 * Whether a service that may fail is worth asking. After a failure one request
 * in each pause asks it, and the others do without at once: a service that hangs
 * can neither delay many nor pile up questions.
 */
export class Outage {
  readonly #report: OutageReport
  #down = false
  #askAgainAt = 0

  /** @param report called once for each change: with the error at an outage's start, without one at its end */
  constructor (report: OutageReport) {
    this.#report = report
  }

  get isDown (): boolean {
    return this.#down
  }

  /** @param now milliseconds, never falling */
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
