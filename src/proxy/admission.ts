import { GatewayError } from '../errors.ts'

/** The caps on requests, and how long one may wait. */
export interface AdmissionSettings {
  /** Requests at the inference service at the same time. */
  readonly maxConcurrent: number
  /** Requests beyond these that may be under way: they arrive, or wait for a slot. */
  readonly maxQueued: number
  /** Milliseconds that a request may wait for a slot. */
  readonly queueTimeout: number
}

/** Seconds after which a refused client may try again. */
const RETRY_AFTER = '1'

/** `x-should-retry` tells the OpenAI SDKs that nothing was run, so that a retry costs nothing. */
function overloaded (message: string): GatewayError {
  return new GatewayError('overloaded', { message, headers: { 'retry-after': RETRY_AFTER, 'x-should-retry': 'true' } })
}

/**
 * A cap on requests under way, and within it a cap on requests at the inference
 * service with a first-in-first-out, timed queue before it.
 */
export class Admission {
  readonly #settings: AdmissionSettings
  // A Set keeps the order of insertion and removes from the middle in constant time.
  readonly #waiting = new Set<() => void>()
  #underWay = 0
  #inFlight = 0

  constructor (settings: AdmissionSettings) {
    this.#settings = settings
  }

  /** Requests between {@link enter} and {@link leave}. */
  get underWay (): number { return this.#underWay }
  /** Requests that hold a slot. */
  get inFlight (): number { return this.#inFlight }
  /** Requests that wait for a slot. */
  get queued (): number { return this.#waiting.size }

  /**
   * A request arrives. Owes one {@link leave}.
   * @throws GatewayError overloaded, before the body is read
   */
  enter (): void {
    const { maxConcurrent, maxQueued } = this.#settings
    if (this.#underWay >= maxConcurrent + maxQueued) {
      throw overloaded('The gateway is at its limit of concurrent requests, and its queue is full.')
    }
    this.#underWay++
  }

  /** The request is over. */
  leave (): void {
    this.#underWay--
  }

  /**
   * Waits for a slot. Owes one {@link release}.
   * @throws GatewayError overloaded after the queue's time limit; the signal's reason where it aborts
   */
  async acquire (signal: AbortSignal): Promise<void> {
    if (this.#inFlight < this.#settings.maxConcurrent) {
      this.#inFlight++
      return
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    // Out of the queue at once: a slot that is given back in the same turn must go to another.
    const giveUp = (reason: unknown) => {
      this.#waiting.delete(resolve)
      reject(reason)
    }
    const onAbort = () => giveUp(signal.reason)
    const timer = setTimeout(() => giveUp(overloaded('The gateway is at its limit of concurrent requests; none ended in time.')), this.#settings.queueTimeout)
    signal.addEventListener('abort', onAbort)
    this.#waiting.add(resolve)
    try {
      await promise
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Gives a slot back. The request that has waited longest takes it. */
  release (): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#inFlight--
      return
    }
    this.#waiting.delete(next)
    next()
  }
}
