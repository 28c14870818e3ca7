import type { ServerResponse } from 'node:http'
import { hasBody, type RawHeaders } from './headers.ts'

/** Pieces up to this many bytes are copied into one string with their framing: one write in place of three. */
const COPY_LIMIT = 4096

/**
 * Writes an answer to the client: the head through `ServerResponse`, the body to
 * its socket, as chunks that are framed here. `ServerResponse.write` makes five
 * writes of a chunk. What comes in one turn of the event loop leaves in one
 * system call, the head with the first bytes.
 */
export class Relay {
  readonly #response: ServerResponse
  readonly #stallLimit: number
  #chunked = false
  #framed = false
  #corked = false

  /** @param stallLimit milliseconds for which the client may take none of what was written */
  constructor (response: ServerResponse, stallLimit: number) {
    this.#response = response
    this.#stallLimit = stallLimit
  }

  /**
   * Sends the head.
   * @param hasLength the headers hold a `content-length`
   * @throws TypeError for a header that cannot be sent
   */
  begin (status: number, statusMessage: string, headers: RawHeaders, hasLength: boolean): void {
    const response = this.#response
    try {
      response.writeHead(status, statusMessage, headers)
    } catch (error) {
      // ServerResponse keeps a status message that it refuses, and would refuse the 502 for it too.
      response.statusMessage = ''
      throw error
    }
    const withBody = hasBody(response.req, status)
    this.#chunked = withBody && !hasLength && response.req.httpVersion === '1.1'
    this.#framed = !withBody || hasLength || this.#chunked
    this.#cork()
    // flushHeaders() would write the head as UTF-8: each byte above 127 as two.
    // Without a body Node ignores this write, and sends the head with the end.
    response.write('', 'latin1')
  }

  /** Writes a piece of the body. False: wait for {@link onceDrained} before the next. */
  write (piece: Buffer): boolean {
    const socket = this.#response.socket
    // An empty chunk would be the last one.
    if (socket === null || piece.length === 0) return true
    this.#cork()
    if (!this.#chunked) return socket.write(piece)
    const size = piece.length.toString(16)
    if (piece.length <= COPY_LIMIT) return socket.write(`${size}\r\n${piece.toString('latin1')}\r\n`, 'latin1')
    socket.write(`${size}\r\n`, 'latin1')
    socket.write(piece)
    return socket.write('\r\n', 'latin1')
  }

  /** Calls back when the client has taken what was written. It is cut where it takes nothing for too long. */
  onceDrained (callback: () => void): void {
    const response = this.#response
    this.#limitReader()
    response.socket?.once('drain', () => {
      response.setTimeout(0)
      callback()
    })
  }

  /** Ends the answer. */
  end (trailers: [string, string][]): void {
    const response = this.#response
    if (trailers.length > 0 && this.#chunked) response.addTrailers(trailers)
    response.end()
    if (response.writableLength > 0) this.#limitReader()
  }

  /**
   * Ends the answer so that it cannot look complete: its length falls short, or its
   * last chunk is missing.
   * @param closing written before the end, where the framing allows it
   */
  break (closing: Buffer | undefined): void {
    const socket = this.#response.socket
    if (socket === null) return
    // The end of the connection is the only framing, and an orderly end means "complete".
    if (!this.#framed) {
      socket.resetAndDestroy()
      return
    }
    if (closing !== undefined && this.#chunked) this.write(closing)
    this.#limitReader()
    socket.destroySoon()
  }

  #cork (): void {
    const { socket } = this.#response
    if (this.#corked || socket === null) return
    this.#corked = true
    socket.cork()
    process.nextTick(() => {
      this.#corked = false
      socket.uncork()
    })
  }

  /** By the socket's own timer, which sees progress within one large write. */
  #limitReader (): void {
    const response = this.#response
    response.setTimeout(this.#stallLimit)
    if (response.listenerCount('timeout') === 0) response.on('timeout', () => response.socket?.destroy())
  }
}
