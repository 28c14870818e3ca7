const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 30_000

/** A value and when it was good (milliseconds since 1970). */
export interface Copy<T> {
  value: T
  loadedAt: number
  /** Whether it comes from before the start. */
  restored: boolean
}

/** What {@link Cached} is made of. */
export interface CachedOptions<T> {
  /** Fetches and checks; whatever it throws leaves the copy in place. */
  load: (signal: AbortSignal) => Promise<T>
  /** How old the copy may be before a request for it starts a refresh (milliseconds). */
  maxAge: number
  /** Told of each new copy; the refresh is done when it has returned. */
  onCopy: (copy: Copy<T>) => Promise<void>
  onFailure: (error: unknown, retryIn: number) => void
}

/**
 * A copy of something that may be slow, dead or wrong. Nobody waits for it: the
 * copy is there at once, and a refresh runs behind it (stale-while-revalidate,
 * RFC 5861), one at a time. A refresh that failed is tried again, each time
 * after a longer pause.
 */
export class Cached<T> {
  readonly #options: CachedOptions<T>
  readonly #stop = new AbortController()
  #copy: Copy<T> | undefined
  #flight: Promise<void> | undefined
  #next: Promise<void> | undefined
  #retry: NodeJS.Timeout | undefined
  #failures = 0
  /** When a refresh last failed, and why; a success does not clear it. */
  lastFailure: { at: number, error: unknown } | undefined
  /** When the next try is due after a failure. */
  nextTry: number | undefined

  constructor (options: CachedOptions<T>) {
    this.#options = options
  }

  /** Whether the latest refresh failed. */
  get failing (): boolean {
    return this.#failures > 0
  }

  /** The latest good value. */
  get copy (): Copy<T> | undefined {
    return this.#copy
  }

  /** Takes over a copy from before the start, with its age. */
  async restore ({ value, loadedAt }: Pick<Copy<T>, 'value' | 'loadedAt'>): Promise<void> {
    this.#copy = { value, loadedAt, restored: true }
    await this.#options.onCopy(this.#copy)
  }

  /** Starts a refresh where the copy is too old and no refresh is under way or due. */
  touch (now = Date.now()): void {
    if (this.#flight !== undefined || this.#retry !== undefined) return
    // A copy from the future is one from before the clock was set back, and may be of any age.
    if (this.#copy !== undefined && this.#copy.loadedAt <= now && now - this.#copy.loadedAt < this.#options.maxAge) return
    this.refresh()
  }

  /** Refreshes now, or joins the refresh under way. Never rejects. */
  refresh (): Promise<void> {
    this.#flight ??= this.#load().finally(() => { this.#flight = undefined })
    return this.#flight
  }

  /** Refreshes with what is there from now on: a refresh under way may have read what has changed since. Never rejects. */
  reload (): Promise<void> {
    if (this.#flight === undefined) return this.refresh()
    this.#next ??= this.#flight.then(() => {
      this.#next = undefined
      return this.refresh()
    })
    return this.#next
  }

  /** Stops refreshing. The copy stays. */
  async close (): Promise<void> {
    this.#stop.abort()
    clearTimeout(this.#retry)
    await this.#flight
  }

  async #load (): Promise<void> {
    if (this.#stop.signal.aborted) return
    clearTimeout(this.#retry)
    this.#retry = undefined
    this.nextTry = undefined
    try {
      const value = await this.#options.load(this.#stop.signal)
      if (this.#stop.signal.aborted) return
      this.#failures = 0
      this.#copy = { value, loadedAt: Date.now(), restored: false }
      await this.#options.onCopy(this.#copy)
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#failed(error)
    }
  }

  #failed (error: unknown): void {
    const ceiling = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures++)
    // Replicas that lost the same source together must not come back together.
    const retryIn = ceiling * (0.5 + Math.random() / 2)
    this.lastFailure = { at: Date.now(), error }
    this.nextTry = this.lastFailure.at + retryIn
    this.#retry = setTimeout(() => this.refresh(), retryIn).unref()
    this.#options.onFailure(error, retryIn)
  }
}
