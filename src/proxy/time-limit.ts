/** A time limit that is armed again and again. One timer at a time. */
export class TimeLimit {
  readonly #onPassed: () => void
  #timer: NodeJS.Timeout | undefined

  constructor (onPassed: () => void) {
    this.#onPassed = onPassed
  }

  /** The limit is that many milliseconds from now. */
  arm (milliseconds: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(this.#onPassed, milliseconds)
  }

  /** Something came: the limit counts from now. Does nothing where it is not armed. */
  postpone (): void {
    this.#timer?.refresh()
  }

  /** No limit. */
  disarm (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}
