import { buildConnector } from 'undici'
import { READ_OPTIONS, UpstreamConnection, type ConnectionOwner, type Connector } from './upstream-connection.ts'

/** Where connections go, and whom they trust. */
export interface ConnectionSettings {
  readonly origin: string
  /** PEM certificates of the authorities to trust; absent: the built-in ones. */
  readonly ca?: string[]
}

/** How long an unused connection is kept, milliseconds: well under the 5 s of common servers, for one that closes first races with the next request. */
const KEEP_ALIVE = 1500

/** How much earlier than the upstream says that it would close a connection it is closed here, milliseconds. */
const KEEP_ALIVE_MARGIN = 2000

/** How often idle connections are looked at, milliseconds. */
const SWEEP = 250

/** How long connections are used once only, after the upstream has closed one unannounced, milliseconds. */
const DISTRUST = 60_000

/**
 * The connections to the inference service; undici's connector opens them. There
 * is no cap: {@link Admission} holds the one that operators set.
 */
export class Connections implements ConnectionOwner {
  readonly #connector: Connector
  readonly #all = new Set<UpstreamConnection>()
  // Last in, first out: the warmest socket is used again, the others run into their keep-alive limit.
  #idle: UpstreamConnection[] = []
  #sweeper: NodeJS.Timeout | undefined
  #distrustUntil = 0

  constructor ({ origin, ca }: ConnectionSettings) {
    // 0: no limit but the exchange's.
    const connect = buildConnector({ timeout: 0, onread: READ_OPTIONS, ...(ca === undefined ? {} : { ca }) })
    this.#connector = { origin: new URL(origin), connect }
  }

  /** Connections open or opening, in use or idle. */
  get size (): number { return this.#all.size }

  acquire (): UpstreamConnection {
    const idle = this.#takeIdle()
    if (idle !== undefined) return idle
    const connection = new UpstreamConnection(this.#connector, this)
    this.#all.add(connection)
    return connection
  }

  /** The exchange is over; the connection may serve another, where its answer allows that. */
  release (connection: UpstreamConnection): void {
    const now = performance.now()
    const keep = Math.min(KEEP_ALIVE, connection.keepAlive - KEEP_ALIVE_MARGIN)
    if (!connection.reusable || keep <= 0 || now < this.#distrustUntil) return this.discard(connection)
    connection.used = true
    connection.idleUntil = now + keep
    this.#idle.push(connection)
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP).unref()
  }

  /**
   * The upstream has closed a connection that it had let us keep. It will do so
   * again, and one time with a request on its way, which then may or may not
   * have been run and cannot be sent twice. So for a while none is used twice.
   */
  distrust (): void {
    this.#distrustUntil = performance.now() + DISTRUST
    for (const connection of this.#idle.splice(0)) this.discard(connection)
  }

  /** Closes the connection at once, and with it the request that it carries. */
  discard (connection: UpstreamConnection): void {
    this.#all.delete(connection)
    connection.destroy()
  }

  /** Closes every connection at once. */
  destroy (): void {
    for (const connection of this.#all) this.discard(connection)
    this.#idle = []
    clearInterval(this.#sweeper)
  }

  onIdleEnd (connection: UpstreamConnection): void {
    this.#idle = this.#idle.filter(other => other !== connection)
    this.discard(connection)
    this.distrust()
  }

  /** The sweep may be late, after a turn that took long. */
  #takeIdle (): UpstreamConnection | undefined {
    if (this.#idle.length === 0) return undefined
    const now = performance.now()
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (idle.idleUntil > now) return idle
      this.discard(idle)
    }
    return undefined
  }

  #sweep (): void {
    const now = performance.now()
    const over = this.#idle.filter(({ idleUntil }) => idleUntil <= now)
    this.#idle = this.#idle.filter(({ idleUntil }) => idleUntil > now)
    for (const connection of over) this.discard(connection)
    if (this.#idle.length > 0) return
    clearInterval(this.#sweeper)
    this.#sweeper = undefined
  }
}
