import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { GatewayError } from '../errors.ts'
import { Answer, type RawHeaders, type StandingHeaders } from '../http/answer.ts'
import { lingeringClose } from '../http/lingering-close.ts'
import type { ModelScanner } from '../body/scanner.ts'
import type { Spool } from '../body/spool.ts'
import type { Admission } from './admission.ts'
import type { Connections } from './connections.ts'
import type { Exchanges, Timed } from './exchanges.ts'
import { clientResponseHeaders, clientTrailers, isEventStream } from './headers.ts'
import { Intake, type IntakeListener } from './intake.ts'
import type { ResponseHead } from './response-head.ts'
import { EventBoundary } from './sse.ts'
import type { UpstreamConnection, UpstreamListener } from './upstream-connection.ts'
import { isTransientConnectError, upstreamError } from './upstream-errors.ts'

/** Time and size limits of an exchange; times in milliseconds. */
export interface ExchangeLimits {
  readonly bodyLimit: number
  readonly connect: number
  readonly firstByte: number
  readonly idle: number
  readonly clientStall: number
}

/** What all exchanges share. */
export interface ExchangeServices {
  readonly connections: Connections
  readonly admission: Admission
  readonly limits: ExchangeLimits
  /** The exchanges under way: each adds and removes itself. */
  readonly exchanges: Exchanges<Exchange>
  /** Headers of every answer. */
  readonly standingHeaders: StandingHeaders
}

/** One request to carry upstream. */
export interface ExchangeRequest {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** The request's body as the upstream shall read it: the request itself, or its decoded form. */
  readonly body: Readable
  readonly scanner: ModelScanner | undefined
  /** The policy on models: the refusal of a model that may not be used, before anything is sent. Undefined: any may. */
  readonly refuseModel: ((model: string | null | undefined) => GatewayError | undefined) | undefined
  /** Path and query upstream. */
  readonly path: string
  /** Without framing headers; let go once the answer begins. */
  headers: RawHeaders
}

/** How an exchange ended, for the log. */
export type Outcome = 'complete' | 'refused' | 'client-left' | 'broken'

/** What an {@link Exchange} tells whoever began it. */
export interface ExchangeListener {
  /** The answer begins: the headers of the gateway's own for it (CORS, request id). */
  onAnswer (exchange: Exchange): Record<string, unknown>
  /** No byte of an answer has been sent: answer with this error. */
  onRefused (exchange: Exchange, error: GatewayError): void
  /** The exchange is over, whichever way; called once, after `onRefused` where that was called. */
  onEnd (exchange: Exchange, outcome: Outcome, error?: GatewayError): void
}

type Phase = 'intake' | 'queued' | 'connecting' | 'waiting' | 'streaming' | 'ended'

/** Waits before a failed connect is tried again, milliseconds: the bound of the retries too. */
const CONNECT_BACKOFF = [50, 200]

const NO_HEADERS: RawHeaders = []

const kExchange = Symbol('exchange')
type Carrier = ServerResponse & { [kExchange]?: Exchange }

// Shared by all exchanges, so that a request makes no closure for it.
function onClose (this: Carrier): void { this[kExchange]?.onClientClose() }

/**
 * One request's way to the inference service and back: intake, admission,
 * dispatch, relay. Nothing stands between the upstream's bytes and the client's
 * socket.
 *
 * Every way it can end goes through {@link Exchange.#end}, which frees the slot,
 * the timer and the upstream connection.
 */
export class Exchange implements IntakeListener, UpstreamListener, Timed {
  readonly exchange: ExchangeRequest
  /** Status of the upstream's answer; 0 while there is none. */
  upstreamStatus = 0
  /** Bytes of the answer's body handed to the client. */
  bytesOut = 0
  /** Milliseconds from dispatch to the upstream's first byte. */
  firstByteTime: number | undefined
  deadline = Infinity
  place = -1

  readonly #services: ExchangeServices
  readonly #listener: ExchangeListener
  #phase: Phase = 'intake'
  #intake: Intake | undefined
  #body: Buffer | undefined
  #spool: Spool | undefined
  #connection: UpstreamConnection | undefined
  #connected = false
  /** The whole request has been handed to the upstream's socket. */
  #sent = false
  #attempt = 0
  #dispatchedAt = 0
  #holdsSlot = false
  #leaveQueue: (() => void) | undefined
  #retry: NodeJS.Timeout | undefined
  #limit = 0
  #answer: Answer | undefined
  #boundary: EventBoundary | undefined
  #hasLength = false

  constructor (exchange: ExchangeRequest, services: ExchangeServices, listener: ExchangeListener) {
    this.exchange = exchange
    this.#services = services
    this.#listener = listener
  }

  /** The model that the request runs on, as far as it is known. */
  get model (): string | null | undefined { return this.exchange.scanner?.model }

  start (): void {
    const { request, response, body, scanner } = this.exchange
    this.#services.exchanges.add(this)
    const carrier = response as Carrier
    carrier[kExchange] = this
    response.on('close', onClose)
    if (Number(request.headers['content-length']) > this.#services.limits.bodyLimit) {
      return this.#refuse(new GatewayError('body_too_large', { message: `The request body is larger than ${this.#services.limits.bodyLimit} bytes.` }))
    }
    // RFC 9112 section 6.3: without these there is no body. A POST has an empty one, which its scanner is to judge.
    if (request.method !== 'POST' && request.headers['content-length'] === undefined && request.headers['transfer-encoding'] === undefined) return this.#queue()
    this.#intake = new Intake(body, request, { scanner, limit: this.#services.limits.bodyLimit, modelFirst: this.exchange.refuseModel !== undefined }, this)
  }

  /** Ends the exchange from the gateway's side: at shutdown, when the grace is over. */
  cut (error: GatewayError): void {
    this.#fail(error)
  }

  // ---- the request body

  onWholeBody (body: Buffer): void {
    this.#body = body
    this.#queue()
  }

  onLargeBody (): void {
    this.#queue()
  }

  onSpooledBody (spool: Spool): void {
    this.#spool = spool
    this.#queue()
  }

  onBodyError (error: GatewayError): void {
    this.#fail(error)
  }

  #queue (): void {
    if (this.#phase === 'ended') return
    const refusal = this.exchange.refuseModel?.(this.model)
    if (refusal !== undefined) return this.#refuse(refusal)
    this.#phase = 'queued'
    this.#leaveQueue = this.#services.admission.enter(() => this.#admitted(), error => this.#refuse(error))
  }

  #admitted (): void {
    this.#leaveQueue = undefined
    this.#holdsSlot = true
    this.#dispatch()
  }

  // ---- dispatch

  #dispatch (): void {
    const { path, request, headers, body: source } = this.exchange
    this.#phase = 'connecting'
    this.#attempt++
    const connection = this.#services.connections.acquire()
    this.#connection = connection
    this.#dispatchedAt = performance.now()
    this.#arm(this.#services.limits.connect)
    const body = this.#body ?? this.#spool?.read() ?? this.#intake?.stream(source === request ? () => connection.isWritten : undefined) ?? null
    connection.send({ method: request.method!, path, headers, body, length: this.#lengthToSend() }, this)
  }

  /** A held body is sent with its length; a streamed one with it where insertion can no longer change it. */
  #lengthToSend (): number | undefined {
    const { request, body } = this.exchange
    const whole = this.#body ?? this.#spool
    if (whole !== undefined) return whole.length
    const received = request.headers['content-length']
    const delta = this.#intake?.delta
    if (received === undefined || delta === undefined || body !== request) return undefined
    return Number(received) + delta
  }

  // ---- what becomes of it upstream

  onConnect (): void {
    this.#connected = true
    this.#phase = 'waiting'
    this.#arm(this.#services.limits.firstByte)
  }

  onBodySent (): void {
    // The answer may have begun and wait for its reader: then no limit runs but the reader's.
    if (this.deadline !== Infinity) this.#postpone()
  }

  onRequestSent (): void {
    this.#sent = true
  }

  onHead (head: ResponseHead): boolean {
    const { status, phrase } = head
    if (status < 200 || status > 599) {
      this.#fail(new GatewayError('upstream_invalid_response', { cause: new Error(`status ${status}`) }))
      return false
    }
    this.firstByteTime = performance.now() - this.#dispatchedAt
    this.upstreamStatus = status
    const answer = new Answer(this.exchange.response, this.#services.limits.clientStall)
    try {
      const own = this.#listener.onAnswer(this)
      // An answer that comes before the upload's end may end before it, too.
      if (!this.exchange.request.complete) own.connection = 'close'
      answer.begin(status, phrase, clientResponseHeaders(status, head.headers, own, this.#services.standingHeaders.names), this.#services.standingHeaders)
    } catch (cause) {
      this.#fail(new GatewayError('upstream_invalid_response', { cause }))
      return false
    }
    this.#phase = 'streaming'
    this.#answer = answer
    // An answer may last for minutes: it keeps nothing that only its beginning needed.
    this.exchange.headers = NO_HEADERS
    this.#body = undefined
    this.#hasLength = head.framing === 'length'
    if (isEventStream(head.headers)) this.#boundary = new EventBoundary()
    this.#arm(this.#services.limits.idle)
    return true
  }

  onBody (bytes: Buffer, start: number, end: number): boolean {
    this.bytesOut += end - start
    this.#boundary?.track(bytes, start, end)
    if (this.#answer!.write(bytes, start, end)) {
      this.#postpone()
      return true
    }
    this.#awaitReader()
    return false
  }

  onEnd (trailers: RawHeaders): void {
    const { request, response } = this.exchange
    const connection = this.#connection!
    this.#connection = undefined
    this.#services.connections.release(connection)
    if (trailers.length > 0) response.addTrailers(clientTrailers(trailers))
    if (request.complete) this.#answer!.end()
    else {
      this.#answer!.flush()
      lingeringClose(request, response)
      if (response.writableLength > 0) this.#answer!.limitReader()
    }
    this.#end('complete')
  }

  onError (error: Error & { code?: string }): void {
    const connection = this.#connection!
    if (connection.used && this.upstreamStatus === 0) this.#services.connections.distrust()
    if (!this.#connected && this.#attempt <= CONNECT_BACKOFF.length && isTransientConnectError(error)) {
      this.#services.connections.discard(connection)
      this.#connection = undefined
      this.deadline = Infinity
      this.#retry = setTimeout(() => this.#dispatch(), CONNECT_BACKOFF[this.#attempt - 1])
      return
    }
    this.#fail(upstreamError(error, this.#connected))
  }

  // ---- the client's side

  onClientClose (): void {
    if (this.#phase === 'ended') return
    this.#end('client-left')
  }

  onClientDrain (): void {
    this.exchange.response.setTimeout(0)
    if (this.#phase !== 'streaming') return
    this.#arm(this.#services.limits.idle)
    this.#connection!.resume()
  }

  #awaitReader (): void {
    this.deadline = Infinity
    this.#answer!.onceDrained(() => this.onClientDrain())
    this.#answer!.limitReader()
  }

  // ---- time limits

  #arm (milliseconds: number): void {
    this.#limit = milliseconds
    this.#postpone()
  }

  /** Something came: the limit counts from now. */
  #postpone (): void {
    this.deadline = performance.now() + this.#limit
  }

  onTimeLimit (): void {
    // The upstream waits for the client, whose own limit is CLIENT_BODY_TIMEOUT.
    if (this.#phase === 'waiting' && !this.#sent && this.#intake?.starved === true) return this.#arm(this.#services.limits.firstByte)
    if (this.#phase === 'connecting') this.#fail(new GatewayError('upstream_unreachable', { cause: new Error('connect limit') }))
    else this.#fail(new GatewayError('upstream_timeout', this.#phase === 'streaming' ? { message: 'The inference service fell silent in the middle of its answer.' } : {}))
  }

  // ---- endings

  #fail (error: GatewayError): void {
    if (this.#phase === 'ended') return
    if (this.#phase === 'streaming') this.#break(error)
    else this.#refuse(error)
  }

  #refuse (error: GatewayError): void {
    this.#end('refused', error)
  }

  /** The answer has begun and cannot be finished: it must not look complete. */
  #break (error: GatewayError): void {
    const { response } = this.exchange
    this.#end('broken', error)
    this.#answer!.flush()
    if (this.#boundary !== undefined && !this.#hasLength) response.write(this.#boundary.closing(error))
    // Pipelined behind another answer, which must not be cut: wait for its turn, and for what it has to send by then.
    if (response.socket === null) response.once('socket', () => setImmediate(() => this.#cutShort()))
    else this.#cutShort()
  }

  #cutShort (): void {
    const { request: { socket }, response } = this.exchange
    if (!this.#hasLength && !response.chunkedEncoding) {
      // HTTP/1.0: the connection's end is the only framing, and an orderly one means "complete".
      socket.resetAndDestroy()
      return
    }
    // What was written still goes out, to a reader that takes it; the length falls short, or the last chunk is missing.
    response.flushHeaders()
    this.#answer!.limitReader()
    socket.destroySoon()
  }

  #end (outcome: Outcome, error?: GatewayError): void {
    this.#phase = 'ended'
    this.#services.exchanges.delete(this)
    clearTimeout(this.#retry)
    this.#leaveQueue?.()
    this.#intake?.stop()
    // A decoder of its own must not go on inflating what nobody reads.
    if (this.exchange.body !== this.exchange.request) this.exchange.body.destroy()
    if (this.#connection !== undefined) this.#services.connections.discard(this.#connection)
    this.#connection = undefined
    if (this.#holdsSlot) this.#services.admission.release()
    this.#holdsSlot = false
    if (outcome === 'refused') this.#listener.onRefused(this, error!)
    this.#listener.onEnd(this, outcome, error)
  }
}
