import type { ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'
import type { RequestBody } from '../body/receive.ts'
import { GatewayError } from '../errors.ts'
import type { Connection } from './connections.ts'
import { EventBoundary } from './event-stream.ts'
import type { ExchangeRecord } from './exchange-record.ts'
import { clientTrailers, hasBody, headerList, headerValue, isEventStream, type RawHeaders } from './headers.ts'
import { Relay } from './relay.ts'
import { TimeLimit } from './time-limit.ts'
import { upstreamError } from './upstream-errors.ts'

/** Time limits of a transfer, milliseconds. */
export interface TransferLimits {
  readonly connect: number
  /** From the request's end to the first byte of the answer's body. */
  readonly firstByte: number
  /** Between two pieces of the answer. */
  readonly idle: number
  /** Longest time without reading by the client. */
  readonly clientStall: number
}

/** A request as it goes upstream. */
export interface UpstreamRequest {
  readonly method: Dispatcher.HttpMethod
  /** Path and query. */
  readonly path: string
  /** Without `content-length`. */
  readonly headers: RawHeaders
  /** Undefined: the request has no body. */
  readonly body: RequestBody | undefined
}

/** The client's side of a transfer. */
export interface AnswerSink {
  readonly response: ServerResponse
  /** The upstream's head has arrived. Returns the client's headers. */
  onHead (status: number, headers: RawHeaders): RawHeaders
  /** The client's head is written: from here on the transfer writes the answer. */
  onBegun (): void
  /** Pieces of the answer's body, as they pass. Keeps no view of their memory. */
  onPiece (piece: Buffer): void
  /** The last event of a stream that breaks. */
  errorEvent (error: GatewayError): string
}

/** Marks the failure of a connect: no byte of the request has left. */
export class ConnectError extends GatewayError {}

/**
 * Sends one request upstream and relays the answer as it comes. `done` resolves
 * when the answer is complete. It rejects with a {@link GatewayError}; `begun`
 * tells whether the client has got a part of the answer by then.
 */
export class Transfer implements Dispatcher.DispatchHandler {
  readonly #settle: PromiseWithResolvers<void> = Promise.withResolvers()
  readonly done: Promise<void> = this.#settle.promise
  readonly #connection: Connection
  readonly #limits: TransferLimits
  readonly #sink: AnswerSink
  readonly #record: ExchangeRecord
  readonly #relay: Relay
  readonly #limit = new TimeLimit(() => this.#timeOut())
  #controller: Dispatcher.DispatchController | undefined
  #sentAt = 0
  #boundary: EventBoundary | undefined
  /** The answer's body has neither a length nor chunks. */
  #endsWithConnection = false
  #ended = false

  constructor (connection: Connection, limits: TransferLimits, sink: AnswerSink, record: ExchangeRecord) {
    this.#connection = connection
    this.#limits = limits
    this.#sink = sink
    this.#record = record
    this.#relay = new Relay(sink.response, limits.clientStall)
  }

  /** Begins; called once. */
  send ({ method, path, headers, body }: UpstreamRequest, origin: string): void {
    this.#record.phase = 'connecting'
    this.#limit.arm(this.#limits.connect)
    const framed = body === undefined ? headers : [...headers, 'content-length', String(body.length)]
    this.#connection.dispatch({ origin, method, path, headers: framed, body: body?.read() ?? null }, this)
  }

  /** Ends the transfer: the client left, or the gateway stops. */
  abort (reason: Error): void {
    this.#fail(reason)
  }

  // ---- called by undici

  onRequestStart (controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#ended) return controller.abort(new Error('the exchange is over'))
    this.#record.phase = 'waiting'
    this.#record.connectTime = this.#connection.connectTime
    this.#sentAt = performance.now()
    this.#limit.arm(this.#limits.firstByte)
  }

  onBodySent (): void {
    if (this.#record.phase === 'waiting') this.#limit.postpone()
  }

  onResponseStart (controller: Dispatcher.DispatchController, status: number, _parsed: unknown, statusMessage = ''): void {
    // Informational answers (RFC 9110 section 15.2) are not for the client.
    if (status < 200 || this.#ended) return
    if (status > 599) return this.#fail(new GatewayError('upstream_invalid_response', { cause: new Error(`status ${status}`) }))
    const headers = (controller.rawHeaders as Buffer[]).map(text => text.toString('latin1'))
    // RFC 9112 section 6.1: the gateway cannot undo another coding, and undici passes it on.
    if ((headerList(headers, 'transfer-encoding') ?? 'chunked').toLowerCase() !== 'chunked') {
      return this.#fail(new GatewayError('upstream_invalid_response', { cause: new Error('unknown transfer coding') }))
    }
    this.#record.status = status
    this.#record.streamed = isEventStream(headers)
    try {
      const hasLength = headerValue(headers, 'content-length') !== undefined && status !== 204
      this.#endsWithConnection = hasBody(this.#sink.response.req, status) && !hasLength && headerValue(headers, 'transfer-encoding') === undefined
      this.#relay.begin(status, asBytes(statusMessage), this.#sink.onHead(status, headers), hasLength)
      this.#sink.onBegun()
      if (this.#record.streamed && !hasLength) this.#boundary = new EventBoundary()
    } catch (cause) {
      this.#record.status = undefined
      return this.#fail(new GatewayError('upstream_invalid_response', { cause }))
    }
    this.#record.phase = 'streaming'
  }

  onResponseData (controller: Dispatcher.DispatchController, piece: Buffer): void {
    if (piece.length === 0 || this.#ended) return
    const record = this.#record
    if (record.pieces++ === 0) {
      record.firstByteTime = performance.now() - this.#sentAt
      this.#limit.arm(this.#limits.idle)
    } else this.#limit.postpone()
    record.bytesOut += piece.length
    this.#boundary?.track(piece)
    this.#sink.onPiece(piece)
    if (this.#relay.write(piece)) return
    controller.pause()
    // While the client does not read, the upstream cannot be blamed for silence.
    this.#limit.disarm()
    this.#relay.onceDrained(() => {
      if (this.#ended) return
      this.#limit.arm(this.#limits.idle)
      controller.resume()
    })
  }

  onResponseEnd (controller: Dispatcher.DispatchController): void {
    if (this.#ended) return
    // undici takes a reset for the end of a body without a length. Where the socket
    // cannot be watched, such a body is never taken for complete.
    if (this.#connection.failed || (this.#endsWithConnection && !this.#connection.watched)) return this.#fail(upstreamError(new Error('the connection was reset')))
    this.#complete(clientTrailers(((controller.rawTrailers ?? []) as Buffer[]).map(text => text.toString('latin1'))))
  }

  onResponseError (_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(this.#controller === undefined
      ? new ConnectError('upstream_unreachable', { cause: error })
      : upstreamError(error))
  }

  // ---- endings

  #complete (trailers: [string, string][]): void {
    this.#end()
    try {
      this.#relay.end(trailers)
    } finally {
      this.#settle.resolve()
    }
  }

  #timeOut (): void {
    const { phase, pieces } = this.#record
    if (phase === 'connecting') this.#fail(new GatewayError('upstream_unreachable', { cause: new Error('connect limit') }))
    else this.#fail(new GatewayError('upstream_timeout', pieces > 0 ? { message: 'The inference service fell silent in the middle of its answer.' } : {}))
  }

  #fail (error: Error): void {
    if (this.#ended) return
    this.#end()
    this.#connection.destroy()
    if (this.#record.phase === 'streaming' && error instanceof GatewayError) {
      this.#relay.break(this.#boundary?.closing(this.#sink.errorEvent(error)))
    }
    this.#settle.reject(error)
  }

  #end (): void {
    this.#ended = true
    this.#limit.disarm()
  }
}

/** undici reads the status message as UTF-8. Node writes one byte a character. */
function asBytes (statusMessage: string): string {
  return Buffer.from(statusMessage).toString('latin1')
}
