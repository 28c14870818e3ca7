import { Client, buildConnector } from 'undici'
import type { Socket } from 'node:net'
import { atTurnEnd } from '../http/turn-end.ts'
import { InformationalFilter } from './informational.ts'
import { READ_OPTIONS, readDirectly } from './upstream-reads.ts'

/** Where connections go, and whom they trust. */
export interface ConnectionSettings {
  readonly origin: string
  /** PEM certificates of the authorities to trust; absent: the built-in ones. */
  readonly ca?: string[]
}

/** How long an unused connection is kept, milliseconds: well under the 5 s of common servers, for one that closes first races with the next request. */
const KEEP_ALIVE = 1500

/** How long connections are used once only, after the upstream has closed one unannounced, milliseconds. */
const DISTRUST = 60_000

/**
 * One upstream connection at a time: an undici Client that serves one exchange,
 * then waits in the pool for the next.
 */
export class Connection {
  readonly client: Client
  /** The error that the current socket met, if any: undici hides a reset that ends a close-delimited body. */
  socketError: Error | undefined
  inUse = true
  /** It has carried a request before. */
  used = false

  #socket: Socket | undefined
  #informational: InformationalFilter | undefined

  constructor (origin: URL, connect: buildConnector.connector, onDisconnect: (connection: Connection, cause: Error & { code?: string }) => void) {
    this.client = new Client(origin, {
      pipelining: 1,
      // Time limits are the exchange's own: undici's fire up to half a second late.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: 65536,
      keepAliveTimeout: KEEP_ALIVE,
      keepAliveMaxTimeout: KEEP_ALIVE,
      // Those of a turn are opened together: each one between other work wakes an upstream that has just
      // gone to sleep. Of 2,000 streams opened at once, one took 305 µs of CPU where it takes 260.
      connect: (options, callback) => atTurnEnd({
        // The connector returns the socket that it opens; its type does not say so.
        onTurnEnd: () => { if (!this.client.destroyed) this.#watch(connect(options, callback) as unknown as Socket) }
      })
    })
    this.client.on('disconnect', (_origin, _targets, cause) => onDisconnect(this, cause))
  }

  /** A request is about to be sent on it. */
  onRequest (): void {
    this.#informational!.expectHead()
  }

  /** The system has taken all that was written to the socket. */
  get isWritten (): boolean { return this.#socket!.writableLength === 0 }

  /** Closes the socket at once, also one that is not connected yet: undici leaves that to its connect limit. */
  destroy (): void {
    this.client.destroy(noop)
    this.#socket?.destroy()
  }

  // Listens before undici does: its own listener may end the response on a reset.
  #watch (socket: Socket): void {
    this.#socket = socket
    const informational = new InformationalFilter()
    this.#informational = informational
    readDirectly(socket, informational)
    this.socketError = undefined
    socket.on('error', error => { this.socketError = error })
  }
}

/**
 * The connections to the inference service. Not undici's Pool, for three
 * reasons: it looks through all its clients for a free one (2,000 open streams
 * make that the dearest step of a request), aborting a request on it opens a
 * connection that nobody asked for, and it does not say which socket a response
 * came from. There is no cap: {@link Admission} holds the one that operators set.
 */
export class Connections {
  // Parsed once: undici keeps one of its own for each connection otherwise.
  readonly #origin: URL
  readonly #connect: buildConnector.connector
  readonly #all = new Set<Connection>()
  // Last in, first out: the warmest socket is used again, the others run into their keep-alive limit.
  readonly #idle: Connection[] = []
  #distrustUntil = 0

  constructor ({ origin, ca }: ConnectionSettings) {
    this.#origin = new URL(origin)
    // 0: no limit but the exchange's.
    this.#connect = buildConnector({ timeout: 0, onread: READ_OPTIONS, ...(ca === undefined ? {} : { ca }) })
  }

  /** Connections open or opening, in use or idle. */
  get size (): number { return this.#all.size }

  acquire (): Connection {
    const idle = this.#idle.pop()
    if (idle !== undefined) {
      idle.inUse = true
      return idle
    }
    const connection = new Connection(this.#origin, this.#connect, this.#onDisconnect)
    this.#all.add(connection)
    return connection
  }

  /** The exchange ended well; the connection may serve another. */
  release (connection: Connection): void {
    if (performance.now() < this.#distrustUntil) return this.discard(connection)
    connection.inUse = false
    connection.used = true
    this.#idle.push(connection)
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
  discard (connection: Connection): void {
    this.#all.delete(connection)
    connection.destroy()
  }

  /** Closes every connection at once. */
  destroy (): void {
    for (const connection of this.#all) this.discard(connection)
    this.#idle.length = 0
  }

  // A connection in use deals with its own end; an idle one has nothing left to say.
  readonly #onDisconnect = (connection: Connection, { code }: Error & { code?: string }): void => {
    if (connection.inUse || !this.#all.has(connection)) return
    this.#idle.splice(this.#idle.indexOf(connection), 1)
    this.discard(connection)
    // undici's own closing: idle too long, or announced by the upstream (`Connection: close`).
    if (code !== 'UND_ERR_INFO') this.distrust()
  }
}

function noop (): void {}
