const FIRST_RETRY_MS = 500
const LAST_RETRY_MS = 30_000

/** A value and the time at which it was read (milliseconds since 1970). */
export interface Copy<T> {
  value: T
  loadedAt: number
  /** Whether it comes from the snapshot of an earlier process. */
  restored: boolean
}

/** Settings of {@link Cached}. */
export interface CachedOptions<T> {
  /** Fetches and checks the value. If it throws, the copy stays. */
  load: (signal: AbortSignal) => Promise<T>
  /** Age of the copy from which a request starts a refresh (milliseconds). */
  maxAge: number
  /** Called with each new copy. The refresh is complete when it returns. */
  onCopy: (copy: Copy<T>) => Promise<void>
  onFailure: (error: unknown, retryIn: number) => void
}

/**
 * A cached copy of a source that may be slow or broken. A request gets the copy at
 * once, and a refresh runs in the background (stale-while-revalidate, RFC 5861),
 * one at a time. A failed refresh is retried, each time after a longer pause.
 */
export class Cached<T> {
  readonly #options: CachedOptions<T>
  readonly #stop = new AbortController()
  #copy: Copy<T> | undefined
  #flight: Promise<void> | undefined
  #next: Promise<void> | undefined
  #retry: NodeJS.Timeout | undefined
  #failures = 0
  /** The last failure of a refresh. A success does not clear it. */
  lastFailure: { at: number, error: unknown } | undefined
  /** Time of the next try after a failure. */
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

  /** Takes over a copy of an earlier process, with its age. */
  async restore ({ value, loadedAt }: Pick<Copy<T>, 'value' | 'loadedAt'>): Promise<void> {
    this.#copy = { value, loadedAt, restored: true }
    await this.#options.onCopy(this.#copy)
  }

  /** Starts a refresh if the copy is too old and no refresh or retry is under way. */
  touch (now = Date.now()): void {
    if (this.#flight !== undefined || this.#retry !== undefined) return
    // A copy from the future means that the clock was set back: its age is unknown.
    if (this.#copy !== undefined && this.#copy.loadedAt <= now && now - this.#copy.loadedAt < this.#options.maxAge) return
    this.refresh()
  }

  /** Refreshes now, or joins the refresh under way. Never rejects. */
  refresh (): Promise<void> {
    this.#flight ??= this.#load().finally(() => { this.#flight = undefined })
    return this.#flight
  }

  /** Refreshes with a read that begins after this call: a refresh under way may have read before a change. Never rejects. */
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
    // Jitter: replicas that lost the same source at once must not retry at once.
    const retryIn = ceiling * (0.5 + Math.random() / 2)
    this.lastFailure = { at: Date.now(), error }
    this.nextTry = this.lastFailure.at + retryIn
    this.#retry = setTimeout(() => this.refresh(), retryIn).unref()
    this.#options.onFailure(error, retryIn)
  }
}
