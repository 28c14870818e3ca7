import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { RawHeaders } from './headers.ts'

/** What ServerResponse keeps of an answer's head until it goes out with the first bytes of the body. */
type WithHead = ServerResponse & { _header: string, _headerSent: boolean }

/** Pieces up to this many bytes are copied into one string with what frames them: one write in place of up to five. */
const COPIED = 4096

/** Whether this Node keeps heads in the way that is relied upon here; where not, ServerResponse does all. */
const KEEPS_HEAD = (() => {
  const response = new ServerResponse(new IncomingMessage(new Socket())) as WithHead
  response.writeHead(200)
  return typeof response._header === 'string' && response._header.endsWith('\r\n\r\n') && !response._headerSent
})()

/** Headers that all answers carry, prepared once. */
export class StandingHeaders {
  readonly names: ReadonlySet<string>
  readonly flat: RawHeaders
  readonly block: string

  constructor (headers: Readonly<Record<string, string>>) {
    this.names = new Set(Object.keys(headers))
    this.flat = Object.entries(headers).flat()
    this.block = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')
  }
}

/**
 * Writes an answer's head and body to the client's socket, framing chunks itself.
 * ServerResponse still makes the head, ends the answer and keeps the connection's
 * state; but its `write` takes a system call's worth of queueing for each piece.
 */
export class Answer {
  readonly #response: WithHead
  /** Absent where the answer waits behind another on its connection: then ServerResponse queues it. */
  readonly #socket: Socket | undefined
  #headHeld = true

  constructor (response: ServerResponse) {
    this.#response = response as WithHead
    this.#socket = KEEPS_HEAD && response.req.method !== 'HEAD' && response.socket !== null ? response.socket : undefined
  }

  /**
   * Makes the head; it goes out with the first bytes of the body, or with {@link flush}.
   * @throws TypeError for a header that cannot be sent
   */
  begin (status: number, phrase: string, headers: RawHeaders, standing: StandingHeaders): void {
    const response = this.#response
    if (KEEPS_HEAD) {
      response.writeHead(status, phrase, headers)
      // Ready-made: checking and joining them again for each answer took 3 of 20 µs.
      response._header = response._header.slice(0, -2) + standing.block + '\r\n'
    } else {
      response.writeHead(status, phrase, [...headers, ...standing.flat])
    }
  }

  /** Sends the head alone, if it has not gone out. */
  flush (): void {
    if (!this.#headHeld) return
    this.#headHeld = false
    this.#response.flushHeaders()
  }

  /** False: wait for the drain before the next. */
  write (chunk: Buffer): boolean {
    const response = this.#response
    const socket = this.#socket
    const headHeld = this.#headHeld
    this.#headHeld = false
    if (socket === undefined) return response.write(chunk)
    let head = ''
    if (headHeld) {
      head = response._header
      response._headerSent = true
    }
    const chunked = response.chunkedEncoding
    if (chunk.length <= COPIED) {
      // A short chunked answer ends in this same turn: its end goes out with it.
      if (headHeld && chunked) corkForThisTurn(socket)
      const text = chunk.toString('latin1')
      return socket.write(chunked ? `${head}${chunk.length.toString(16)}\r\n${text}\r\n` : head + text, 'latin1')
    }
    if (!chunked && !headHeld) return socket.write(chunk)
    socket.cork()
    socket.write(chunked ? `${head}${chunk.length.toString(16)}\r\n` : head, 'latin1')
    let goOn = socket.write(chunk)
    if (chunked) goOn = socket.write('\r\n', 'latin1')
    socket.uncork()
    return goOn
  }

  /** Calls back once more can be written, after a write that was false. */
  onceDrained (callback: () => void): void {
    (this.#socket ?? this.#response).once('drain', callback)
  }
}

function corkForThisTurn (socket: Socket): void {
  socket.cork()
  process.nextTick(uncork, socket)
}

function uncork (socket: Socket): void {
  socket.uncork()
}
