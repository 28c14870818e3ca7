import { GatewayError } from '../errors.ts'

/** The cap on requests in flight, and the queue before it. */
export interface AdmissionSettings {
  readonly maxConcurrent: number
  readonly maxQueued: number
  /** Milliseconds a request may wait for its turn. */
  readonly queueTimeout: number
}

interface Waiter {
  readonly admit: () => void
  readonly refuse: (error: GatewayError) => void
  readonly timer: NodeJS.Timeout
}

/** Seconds a refused client is asked to wait before it tries again. */
const RETRY_AFTER = '1'

/**
 * The error of a request past the cap. `x-should-retry` tells the OpenAI SDKs
 * that nothing was run, so that a retry costs nothing.
 */
function overloaded (message: string): GatewayError {
  return new GatewayError('overloaded', { message, headers: { 'retry-after': RETRY_AFTER, 'x-should-retry': 'true' } })
}

/** A cap on requests in flight, and a bounded, timed, first-in-first-out queue before it. */
export class Admission {
  readonly #settings: AdmissionSettings
  // A Set keeps insertion order and removes from the middle in constant time.
  readonly #queue = new Set<Waiter>()
  #inFlight = 0

  constructor (settings: AdmissionSettings) {
    this.#settings = settings
  }

  get inFlight (): number { return this.#inFlight }
  get queued (): number { return this.#queue.size }

  /**
   * Calls `admit` at once or when a slot is free, or `refuse` when the queue is
   * full or the wait too long; exactly one of them, once. Returns a function
   * that leaves the queue, or undefined where the request did not queue.
   * Each `admit` owes one {@link release}.
   */
  enter (admit: () => void, refuse: (error: GatewayError) => void): (() => void) | undefined {
    const { maxConcurrent, maxQueued, queueTimeout } = this.#settings
    if (this.#inFlight < maxConcurrent) {
      this.#inFlight++
      admit()
      return
    }
    if (this.#queue.size >= maxQueued) {
      refuse(overloaded('The gateway is at its limit of concurrent requests, and its queue is full.'))
      return
    }
    const timer = setTimeout(() => {
      this.#queue.delete(waiter)
      refuse(overloaded('The gateway is at its limit of concurrent requests; none ended in time.'))
    }, queueTimeout)
    const waiter: Waiter = { admit, refuse, timer }
    this.#queue.add(waiter)
    return () => {
      clearTimeout(timer)
      this.#queue.delete(waiter)
    }
  }

  /** Gives a slot back; the longest waiting request takes it. */
  release (): void {
    const [next] = this.#queue
    if (next === undefined) {
      this.#inFlight--
      return
    }
    clearTimeout(next.timer)
    this.#queue.delete(next)
    next.admit()
  }
}
