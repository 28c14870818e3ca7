import type { OnReadOpts, Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { buildConnector } from 'undici'
import type { RawHeaders } from '../http/answer.ts'
import { atTurnEnd, type TurnEndTask } from '../http/turn-end.ts'
import type { ResponseHead } from './response-head.ts'
import { ResponseParser, type ResponseParts } from './response-parser.ts'

/** A request as it is sent. */
export interface UpstreamRequest {
  readonly method: string
  /** Path and query. */
  readonly path: string
  /** Without `Host`, and without what frames the body. */
  readonly headers: RawHeaders
  readonly body: Buffer | Readable | null
  /** Bytes of the body; undefined where they are not known, and it is sent chunked. */
  readonly length: number | undefined
}

/** What becomes of a request. After `onEnd`, `onError` or {@link UpstreamConnection.destroy} there is no further call. */
export interface UpstreamListener {
  /** There is a connection, and the request is being sent: before, no byte of it has left. */
  onConnect (): void
  /** A piece of the request's body was handed to the system. */
  onBodySent (): void
  /** All of the request was. */
  onRequestSent (): void
  /** False: no more is wanted; the connection is destroyed. */
  onHead (head: ResponseHead): boolean
  /** Bytes of the body: `bytes[start]` up to `bytes[end]`, which are another's after the call. False: pause, until {@link UpstreamConnection.resume}. */
  onBody (bytes: Buffer, start: number, end: number): boolean
  /** The answer is whole. */
  onEnd (trailers: RawHeaders): void
  onError (error: Error & { code?: string }): void
}

/** What a connection tells its pool. */
export interface ConnectionOwner {
  /** It broke off, or sent what nobody asked for, while it was idle. */
  onIdleEnd (connection: UpstreamConnection): void
}

/** Opens the sockets to one origin. */
export interface Connector {
  readonly origin: URL
  readonly connect: buildConnector.connector
}

const kConnection = Symbol('connection')
type OwnedSocket = Socket & { [kConnection]?: UpstreamConnection }

/**
 * What the system has for a socket lands here and is used up before the next
 * read, so one serves them all. Through the socket's stream, each read has 64 KB of
 * its own and waits for a tick: a chat request took 55 µs where it takes 52.
 */
const LANDING = Buffer.allocUnsafeSlow(65536)

/** Options of `net.connect` and `tls.connect` for an {@link UpstreamConnection}'s socket. */
export const READ_OPTIONS: OnReadOpts = {
  buffer: LANDING,
  callback (this: OwnedSocket, length: number): boolean {
    return this[kConnection]!.onBytes(length)
  }
}

/** Request bodies up to this many bytes are sent in one string with the head. */
const TOGETHER = 16384

/**
 * One upstream connection: carries one request at a time (HTTP/1.1, no
 * pipelining), then waits in its pool for the next. Has no time limits: those
 * are the exchange's.
 *
 * It opens and sends at the end of the event loop's turn, together with the others
 * of that turn: each one between other work wakes an upstream that has just gone to
 * sleep. A chat request took 79 µs where it takes 70; of 2,000 streams opened at
 * once, one took 305 where it takes 260.
 */
export class UpstreamConnection implements ResponseParts, TurnEndTask {
  /** It has carried a request before. */
  used = false
  /** How long the upstream says that it keeps it, milliseconds; Infinity where it does not say. */
  keepAlive = Infinity
  /** While it is idle: when it is to be closed, by `performance.now()`. */
  idleUntil = 0

  readonly #connector: Connector
  readonly #owner: ConnectionOwner
  readonly #parser = new ResponseParser(this)
  #socket: OwnedSocket | undefined
  #connected = false
  #destroyed = false
  #request: UpstreamRequest | undefined
  #listener: UpstreamListener | undefined
  /** The request is being sent, or has been. */
  #begun = false
  #sent = false
  #persistent = false
  /** What was read and waits until the client takes more. */
  #unread: Buffer | undefined
  /** Behind what is unread, the upstream has ended the connection. */
  #finUnread = false

  constructor (connector: Connector, owner: ConnectionOwner) {
    this.#connector = connector
    this.#owner = owner
  }

  /** It may carry another request: the last one was sent whole, and its answer ended where it said. */
  get reusable (): boolean { return this.#persistent && this.#sent && !this.#destroyed && this.#listener === undefined }

  /** The system has taken all that was written to the socket. */
  get isWritten (): boolean { return this.#socket!.writableLength === 0 }

  /** Sends a request, on a connection that carries none. */
  send (request: UpstreamRequest, listener: UpstreamListener): void {
    this.#request = request
    this.#listener = listener
    this.#sent = false
    this.#begun = false
    atTurnEnd(this)
  }

  onTurnEnd (): void {
    if (this.#destroyed) return
    if (this.#connected) this.#begin()
    else this.#open()
  }

  /** The listener wants more of the body. */
  resume (): void {
    this.#parser.resume()
    const unread = this.#unread
    this.#unread = undefined
    if (unread !== undefined) this.#read(unread, unread.length)
    if (this.#destroyed || (this.#parser.paused && !this.#parser.complete)) return
    if (this.#finUnread) this.#onFin()
    else this.#socket!.resume()
  }

  /** Closes the socket at once, be it connected or not, and with it the request that it carries. */
  destroy (): void {
    this.#destroyed = true
    this.#parser.pause()
    this.#letGo()
    this.#socket?.destroy()
  }

  /** The shared memory holds bytes for this connection. False: read no more for now. */
  onBytes (length: number): boolean {
    return this.#read(LANDING, length)
  }

  #open (): void {
    const { origin, connect } = this.#connector
    // A URL's IPv6 address is in brackets, a socket's is not.
    const hostname = origin.hostname.replace(/^\[|\]$/g, '')
    const options = { hostname, host: origin.host, protocol: origin.protocol, port: origin.port }
    // The connector returns the socket that it opens; its type does not say so.
    const socket = connect(options, (...[error]) => {
      if (error !== null) return this.#fail(error)
      this.#connected = true
      if (!this.#destroyed) atTurnEnd(this)
    }) as unknown as OwnedSocket
    this.#socket = socket
    socket[kConnection] = this
    socket.on('error', error => this.#fail(error))
    socket.on('end', () => this.#onFin())
    socket.on('close', () => { if (!this.#finUnread) this.#fail(reset('the connection is closed')) })
  }

  #begin (): void {
    const request = this.#request!
    this.#begun = true
    this.#parser.begin(request.method)
    this.#listener!.onConnect()
    this.#write(request)
  }

  // ---- the request

  #write (request: UpstreamRequest): void {
    const { method, path, headers, body, length } = request
    let head = `${method} ${path} HTTP/1.1\r\nhost: ${this.#connector.origin.host}\r\nconnection: keep-alive\r\n`
    for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`
    if (body === null) return this.#writeWhole(head + '\r\n')
    head += length === undefined ? 'transfer-encoding: chunked\r\n\r\n' : `content-length: ${length}\r\n\r\n`
    if (!Buffer.isBuffer(body)) return this.#writeStream(head, body, length)
    if (body.length <= TOGETHER) return this.#writeWhole(head + body.toString('latin1'))
    const socket = this.#socket!
    socket.cork()
    socket.write(head, 'latin1')
    socket.write(body)
    socket.uncork()
    this.#wholeSent()
  }

  #writeWhole (text: string): void {
    this.#socket!.write(text, 'latin1')
    this.#wholeSent()
  }

  #wholeSent (): void {
    this.#sent = true
    this.#request = undefined
    this.#listener!.onRequestSent()
  }

  #writeStream (head: string, body: Readable, length: number | undefined): void {
    const socket = this.#socket!
    let sent = 0
    const onDrain = () => { body.resume() }
    socket.write(head, 'latin1')
    body.on('data', (chunk: Buffer) => {
      if (this.#request?.body !== body) return
      sent += chunk.length
      if (!this.#writePiece(chunk, length === undefined)) body.pause()
      this.#listener!.onBodySent()
    })
    body.on('end', () => {
      socket.off('drain', onDrain)
      if (this.#request?.body !== body) return
      // What follows a body that is not as long as it was said to be would be read as a part of it.
      if (length !== undefined && sent !== length) return this.#fail(new Error(`the body has ${sent} bytes, not ${length}`))
      if (length === undefined) socket.write('0\r\n\r\n', 'latin1')
      this.#wholeSent()
    })
    body.on('error', error => { if (this.#request?.body === body) this.#fail(error) })
    socket.on('drain', onDrain)
  }

  /** False: wait for the drain before the next. */
  #writePiece (chunk: Buffer, chunked: boolean): boolean {
    const socket = this.#socket!
    if (!chunked) return socket.write(chunk)
    socket.cork()
    socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1')
    socket.write(chunk)
    const goOn = socket.write('\r\n', 'latin1')
    socket.uncork()
    return goOn
  }

  // ---- the answer

  onHead (head: ResponseHead): void {
    this.#persistent = head.persistent && head.framing !== 'close'
    this.keepAlive = head.keepAlive * 1000
    if (!this.#listener!.onHead(head)) this.destroy()
  }

  onBody (bytes: Buffer, start: number, end: number): void {
    if (!this.#listener!.onBody(bytes, start, end)) this.#parser.pause()
  }

  /** False: read no more for now. */
  #read (bytes: Buffer, length: number): boolean {
    // They would be taken for the answer to what is sent next.
    if (!this.#begun) {
      this.#fail(reset('bytes that nobody asked for'))
      return false
    }
    let at = 0
    try {
      at = this.#parser.execute(bytes, 0, length)
    } catch (error) {
      this.#fail(error as Error)
    }
    if (this.#destroyed) return false
    if (this.#parser.complete) {
      // What is behind the end is nobody's.
      if (at < length) this.#persistent = false
      this.#complete()
      return true
    }
    if (at < length) this.#keep(bytes.subarray(at, length))
    return !this.#parser.paused
  }

  /** TLS hands over all of a record that it has decrypted, wanted or not. */
  #keep (bytes: Buffer): void {
    this.#unread = this.#unread === undefined ? Buffer.from(bytes) : Buffer.concat([this.#unread, bytes])
  }

  #complete (): void {
    const listener = this.#listener!
    this.#begun = false
    this.#letGo()
    listener.onEnd(this.#parser.trailers)
  }

  #onFin (): void {
    this.#persistent = false
    this.#finUnread = this.#unread !== undefined
    if (this.#finUnread) return
    if (this.#begun && this.#parser.finish()) this.#complete()
    else this.#fail(reset('the connection ended'))
  }

  #fail (error: Error): void {
    if (this.#destroyed) return
    const listener = this.#listener
    if (listener === undefined) return this.#owner.onIdleEnd(this)
    this.destroy()
    listener.onError(error)
  }

  #letGo (): void {
    const body = this.#request?.body
    // The answer may have come before its end.
    if (!Buffer.isBuffer(body)) body?.destroy()
    this.#listener = undefined
    this.#request = undefined
    this.#unread = undefined
  }
}

/** The upstream broke the connection off. */
function reset (message: string): Error {
  return Object.assign(new Error(message), { code: 'ECONNRESET' })
}
