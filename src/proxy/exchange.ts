import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { Dispatcher } from 'undici'
import { bodyDecoder } from '../body/decode.ts'
import { receiveBody, tooLarge, type RequestBody } from '../body/receive.ts'
import type { ModelScanner } from '../body/scanner.ts'
import type { SpoolSpace } from '../body/spool.ts'
import { GatewayError } from '../errors.ts'
import type { Admission } from './admission.ts'
import { ClientLeftError } from './client-left.ts'
import type { Connection, Connections } from './connections.ts'
import type { ExchangeRecord } from './exchange-record.ts'
import type { RawHeaders } from './headers.ts'
import type { NamedModel } from './policy.ts'
import { isCompressed } from './scanners.ts'
import { ConnectError, Transfer, type AnswerSink, type TransferLimits } from './transfer.ts'
import { isTransientConnectError } from './upstream-errors.ts'

/** What all exchanges share. */
export interface ExchangeServices {
  readonly origin: string
  readonly admission: Admission
  readonly connections: Connections
  readonly space: SpoolSpace
  readonly limits: TransferLimits & { readonly bodyLimit: number }
}

/** One request to carry upstream. */
export interface ExchangeRequest {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** Undefined: the body goes upstream unread. */
  readonly scanner: ModelScanner | undefined
  /** The refusal of a model that may not be used. Undefined: any may. */
  readonly refuseModel: ((named: NamedModel) => GatewayError | undefined) | undefined
  /** Path and query upstream. */
  readonly path: string
  /** The headers upstream, without `content-length`. */
  readonly headers: (decoded: boolean) => RawHeaders
  readonly sink: Omit<AnswerSink, 'response'>
}

/** Milliseconds before a failed connect is tried again; as many retries. */
const CONNECT_RETRIES = [50, 200]

/**
 * One request's way to the inference service and back, in this order: its body is
 * received and scanned, it waits for a slot, it goes upstream whole, and the
 * answer is relayed as it comes.
 */
export class Exchange {
  readonly record: ExchangeRecord
  readonly #exchange: ExchangeRequest
  readonly #services: ExchangeServices
  readonly #stop = new AbortController()

  constructor (exchange: ExchangeRequest, services: ExchangeServices, record: ExchangeRecord) {
    this.#exchange = exchange
    this.#services = services
    this.record = record
  }

  /**
   * Resolves when the answer is complete.
   * @throws GatewayError; where `record.phase` is `streaming`, the client has got a part of the answer
   * @throws ClientLeftError
   */
  async run (): Promise<void> {
    const { record } = this
    const startedAt = performance.now()
    try {
      await this.#admitted()
      record.outcome = 'complete'
    } catch (error) {
      record.outcome = error instanceof ClientLeftError ? 'client-left' : record.phase === 'streaming' ? 'broken' : 'refused'
      throw error
    } finally {
      record.duration = performance.now() - startedAt
    }
  }

  /** Ends the exchange: the client left, or the gateway stops. */
  stop (reason: Error): void {
    this.#stop.abort(reason)
  }

  async #admitted (): Promise<void> {
    const { admission } = this.#services
    const { response } = this.#exchange
    // The client may have left while a hook was waiting: `close` does not come again.
    if (response.closed || response.destroyed) throw new ClientLeftError()
    const onClose = () => { if (!response.writableEnded) this.stop(new ClientLeftError()) }
    admission.enter()
    response.once('close', onClose)
    try {
      const body = await this.#receive()
      try {
        await this.#inTurn(body)
      } finally {
        body?.dispose()
      }
    } finally {
      response.off('close', onClose)
      admission.leave()
    }
  }

  async #receive (): Promise<RequestBody | undefined> {
    const { request, scanner, refuseModel } = this.#exchange
    const { limits: { bodyLimit: limit }, space } = this.#services
    if (Number(request.headers['content-length']) > limit) throw tooLarge(limit)
    // RFC 9112 section 6.3: without these there is no body. A scanned one must be there.
    if (scanner === undefined && request.headers['content-length'] === undefined && request.headers['transfer-encoding'] === undefined) return undefined
    const decoder = this.#decodes ? bodyDecoder(request.headers['content-encoding']) : undefined
    const source = decoder === undefined ? request : request.pipe(decoder)
    const body = await receiveBody({ source, wire: request, scanner, limit, space, signal: this.#stop.signal })
    this.record.bytesIn = body.length
    this.record.requestModel = scanner?.model
    const refusal = scanner === undefined ? undefined : refuseModel?.(scanner)
    if (refusal === undefined) return body
    body.dispose()
    throw refusal
  }

  /** Only a body that is read is decoded. Any other goes upstream as it came. */
  get #decodes (): boolean {
    const { request, scanner } = this.#exchange
    return scanner !== undefined && isCompressed(request.headers)
  }

  async #inTurn (body: RequestBody | undefined): Promise<void> {
    const { admission } = this.#services
    const startedAt = performance.now()
    this.record.phase = 'queued'
    try {
      await admission.acquire(this.#stop.signal)
    } finally {
      this.record.queueWait = performance.now() - startedAt
    }
    try {
      await this.#send(body)
    } finally {
      admission.release()
    }
  }

  async #send (body: RequestBody | undefined): Promise<void> {
    const headers = this.#exchange.headers(this.#decodes)
    for (let retries = 0; ;) {
      // The client may have left meanwhile.
      this.#stop.signal.throwIfAborted()
      const connection = this.#services.connections.acquire()
      try {
        return await this.#attempt(connection, headers, body)
      } catch (error) {
        if (!(error instanceof ConnectError)) throw error
        // An idle connection that ended before the request was written: another one serves at once.
        if (connection.used) continue
        const pause = CONNECT_RETRIES[retries++]
        if (pause === undefined || !isTransientConnectError(error.cause as Error)) throw error
        await this.#pause(pause)
      }
    }
  }

  async #pause (milliseconds: number): Promise<void> {
    const { signal } = this.#stop
    await delay(milliseconds, undefined, { signal }).catch(() => signal.throwIfAborted())
  }

  async #attempt (connection: Connection, headers: RawHeaders, body: RequestBody | undefined): Promise<void> {
    const { connections, limits, origin } = this.#services
    const { request, response, path, sink } = this.#exchange
    const { signal } = this.#stop
    const transfer = new Transfer(connection, limits, { ...sink, response }, this.record)
    const onAbort = () => transfer.abort(signal.reason)
    signal.addEventListener('abort', onAbort)
    try {
      transfer.send({ method: request.method as Dispatcher.HttpMethod, path, headers, body }, origin)
      await transfer.done
      connections.release(connection)
    } catch (error) {
      // Not for a limit that has passed: the connection itself broke.
      const broke = error instanceof ConnectError || (error as GatewayError).code === 'upstream_failed'
      if (broke && connection.used && this.record.status === undefined) connections.disableReuse()
      transfer.abort(error as Error)
      throw error
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }
}
