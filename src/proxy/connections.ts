import { createSecureContext, type SecureContext } from 'node:tls'
import { buildConnector, Client, type Dispatcher } from 'undici'
import { forwardProxyAgent, proxyRefusal } from './forward-proxy.ts'
import type { RawHeaders } from './headers.ts'

/** Where upstream connections go, and how long they are kept. */
export interface ConnectionSettings {
  readonly origin: string
  /** PEM certificates of the authorities to trust; absent: the built-in ones. */
  readonly ca?: string[]
  /** Milliseconds to connect through a forward proxy. {@link Transfer} holds the limit of all other connects. */
  readonly connectTimeout: number
  /**
   * Milliseconds after which a connection carries no further request. So a
   * service that moves to another address is followed under steady traffic.
   */
  readonly maxAge: number
  /** Connections go through the proxies of HTTP_PROXY, HTTPS_PROXY and NO_PROXY. */
  readonly throughProxy: boolean
}

/** Milliseconds that an idle connection is kept: below the 5 s of uvicorn and Node, because a connection that the upstream closes first races with the next request. */
const KEEP_ALIVE = 1500

/** Milliseconds for which connections carry one request only, after the upstream closed an idle one without notice. */
const REUSE_PAUSE = 60_000

/** Bytes of an answer's head. */
const HEAD_LIMIT = 65536

/** undici's own time limits are off: each exchange holds its own (src/proxy/transfer.ts). */
const CLIENT_OPTIONS = {
  pipelining: 1,
  allowH2: false,
  headersTimeout: 0,
  bodyTimeout: 0,
  keepAliveTimeout: KEEP_ALIVE,
  keepAliveMaxTimeout: KEEP_ALIVE,
  maxHeaderSize: HEAD_LIMIT
} as const

/** One upstream connection: carries one request at a time. */
export interface Connection {
  /** Milliseconds that it took to connect; undefined where the connection was open already. */
  readonly connectTime: number | undefined
  /** Its socket failed while a request was under way. */
  readonly failed: boolean
  /** Whether `failed` tells. Through a proxy nobody sees the socket. */
  readonly watched: boolean
  /** Whether a failure of the first byte may be the end of an idle connection. */
  readonly used: boolean
  dispatch (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void
  /** Closes it at once, whether it is connected or still connecting. */
  destroy (): void
}

/**
 * The connections to the inference service: one undici `Client` each, the last
 * used first. There is no cap: {@link Admission} holds the one that operators
 * set. undici's `Pool` is not used because it searches all its clients for a free
 * one, at each request.
 */
export class Connections {
  readonly #settings: ConnectionSettings
  readonly #proxyAgent: Dispatcher | undefined
  readonly #secureContext: SecureContext | undefined
  readonly #all = new Set<DirectConnection>()
  readonly #idle: DirectConnection[] = []
  #opened = 0
  #reuseFrom = 0

  constructor (settings: ConnectionSettings) {
    this.#settings = settings
    const { ca, connectTimeout, maxAge, throughProxy } = settings
    if (throughProxy) this.#proxyAgent = forwardProxyAgent({ ...CLIENT_OPTIONS, connections: null, clientTtl: maxAge, ca, connectTimeout })
    else if (ca !== undefined) {
      // Made once: to read all authorities takes tens of milliseconds.
      this.#secureContext = createSecureContext({ ca })
    }
  }

  /** Connections that are open or opening. Those through a proxy are not counted. */
  get open (): number { return this.#all.size }
  /** Open connections without a request. */
  get idle (): number { return this.#idle.length }
  /** Connections opened since the start. */
  get opened (): number { return this.#opened }

  /** An idle connection, or a new one. */
  acquire (): Connection {
    if (this.#proxyAgent !== undefined) return new ProxiedConnection(this.#proxyAgent)
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      connection.idle = false
      if (this.#isYoung(connection)) return connection
      connection.destroy()
    }
    this.#opened++
    const connection = new DirectConnection(this.#settings.origin, this.#secureContext, { onClose: connection => this.#forget(connection), onUnexpectedClose: () => this.disableReuse() })
    this.#all.add(connection)
    return connection
  }

  /**
   * The answer is complete: the connection may carry another request. It becomes
   * idle at the next turn of the event loop, because bytes that follow the answer
   * in the same read must break the connection first, and not be the next answer.
   */
  release (connection: Connection): void {
    if (!(connection instanceof DirectConnection)) return
    setImmediate(() => {
      if (connection.closed) return
      if (performance.now() < this.#reuseFrom || !this.#isYoung(connection)) return connection.destroy()
      connection.used = true
      connection.idle = true
      this.#idle.push(connection)
    })
  }

  /**
   * The upstream closes idle connections without notice. The next time a request
   * may be on its way, and it would be unknown whether it was run. So for a while
   * no connection is used twice.
   */
  disableReuse (): void {
    this.#reuseFrom = performance.now() + REUSE_PAUSE
    for (const connection of this.#idle.splice(0)) connection.destroy()
  }

  /** Closes every connection at once. */
  destroy (): void {
    for (const connection of this.#all) connection.destroy()
    this.#proxyAgent?.destroy().catch(() => {})
  }

  #isYoung ({ openedAt }: DirectConnection): boolean {
    return performance.now() - openedAt < this.#settings.maxAge
  }

  #forget (connection: DirectConnection): void {
    this.#all.delete(connection)
    if (!connection.idle) return
    const index = this.#idle.lastIndexOf(connection)
    if (index !== -1) this.#idle.splice(index, 1)
  }
}

interface ConnectionEvents {
  onClose (connection: DirectConnection): void
  onUnexpectedClose (): void
}

class DirectConnection implements Connection {
  used = false
  idle = false
  closed = false
  failed = false
  readonly watched = true
  connectTime: number | undefined
  readonly openedAt = performance.now()
  readonly #client: Client
  readonly #connecting = new AbortController()
  readonly #events: ConnectionEvents

  constructor (origin: string, secureContext: SecureContext | undefined, events: ConnectionEvents) {
    this.#events = events
    // Only a signal ends a connect that is under way: a Client waits for its end.
    const connect = buildConnector({ allowH2: false, timeout: 0, signal: this.#connecting.signal, ...(secureContext === undefined ? {} : { secureContext }) } as buildConnector.BuildOptions)
    this.#client = new Client(origin, {
      ...CLIENT_OPTIONS,
      connect: (options, callback) => connect(options, (...[error, socket]) => {
        if (error !== null) return callback(error, null)
        this.connectTime = performance.now() - this.openedAt
        // Before undici's own listener, which takes a reset for the end of a body without a length.
        socket.once('error', () => { this.failed = true })
        callback(null, socket)
      })
    })
    this.#client.on('disconnect', (_origin, _targets, error) => {
      if (this.idle && (error as NodeJS.ErrnoException).code !== 'UND_ERR_INFO') this.#events.onUnexpectedClose()
      this.destroy()
    })
  }

  dispatch (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    if (this.used) this.connectTime = undefined
    this.#client.dispatch(options, handler)
  }

  destroy (): void {
    if (this.closed) return
    this.closed = true
    this.#events.onClose(this)
    this.#connecting.abort()
    this.#client.destroy().catch(() => {})
  }
}

/** A request through a forward proxy: undici's agent keeps the connections. */
class ProxiedConnection implements Connection {
  readonly connectTime = undefined
  readonly failed = false
  readonly watched = false
  readonly used = false
  readonly #agent: Dispatcher
  #controller: Dispatcher.DispatchController | undefined
  #destroyed = false

  constructor (agent: Dispatcher) {
    this.#agent = agent
  }

  dispatch (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    const onRequestStart = (controller: Dispatcher.DispatchController, context: unknown) => {
      this.#controller = controller
      if (this.#destroyed) controller.abort(new Error('the client left'))
      else handler.onRequestStart?.(controller, context)
    }
    this.#agent.dispatch({ ...options, headers: headerRecord(options.headers as RawHeaders) }, {
      onRequestStart,
      onBodySent: chunk => handler.onBodySent?.(chunk),
      onResponseStart: (...parts) => handler.onResponseStart?.(...parts),
      onResponseData: (...parts) => handler.onResponseData?.(...parts),
      onResponseEnd: (...parts) => handler.onResponseEnd?.(...parts),
      onResponseError: (controller, error) => handler.onResponseError?.(controller, proxyRefusal(error))
    })
  }

  destroy (): void {
    this.#destroyed = true
    this.#controller?.abort(new Error('the client left'))
  }
}

/** Raw headers as an object: of a name that an array holds twice, undici's agent would keep the last value only. */
function headerRecord (headers: RawHeaders): Record<string, string | string[]> {
  // Without a prototype, because a client may call a header `constructor`.
  const record: Record<string, string | string[]> = Object.create(null)
  for (let i = 0; i < headers.length; i += 2) {
    const [name, value] = [headers[i]!, headers[i + 1]!]
    const known = record[name]
    record[name] = known === undefined ? value : [known, value].flat()
  }
  return record
}
