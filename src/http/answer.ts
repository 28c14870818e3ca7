import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { atTurnEnd, type TurnEndTask } from './turn-end.ts'

/** Raw headers as Node has them: name, value, name, value, … */
export type RawHeaders = string[]

/** What ServerResponse keeps of an answer's head until it goes out with the first bytes of the body. */
type WithHead = ServerResponse & { _header: string, _headerSent: boolean }

/** Pieces up to this many bytes are copied into one string with what frames them: one write in place of up to five. */
const COPIED = 4096
const HEX = Array.from({ length: COPIED + 1 }, (_, length) => length.toString(16))
/** Characters that wait for the turn's end; Node writes as many without a buffer of their own. */
const TOGETHER = 16384

/** Whether this Node keeps heads in the way that is relied upon here; where not, ServerResponse does all. */
const KEEPS_HEAD = (() => {
  const response = new ServerResponse(new IncomingMessage(new Socket())) as WithHead
  response.writeHead(200)
  return typeof response._header === 'string' && response._header.endsWith('\r\n\r\n') && !response._headerSent
})()

/** Headers that many answers carry, prepared once. */
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
 *
 * Small pieces go out at the end of the event loop's turn, with the head and with
 * the answer's end where those come by then.
 */
export class Answer implements TurnEndTask {
  readonly #response: WithHead
  readonly #stallLimit: number
  /** Absent where ServerResponse has to write: the answer waits behind another on its connection, or there is no socket. */
  readonly #socket: Socket | undefined
  /** By Fastify's `inject`, which has no real socket, and reads the headers that were set. */
  readonly #injected: boolean
  /** Framed, one byte a character. */
  #waiting = ''
  #headHeld = true
  #whole: Buffer | undefined
  /** To be looked at when the turn ends. */
  #due = false
  #state: 'open' | 'ending' | 'ended' = 'open'

  /** @param stallLimit milliseconds that the client may take none of what it is owed */
  constructor (response: ServerResponse, stallLimit: number) {
    this.#response = response as WithHead
    this.#stallLimit = stallLimit
    this.#injected = response.socket !== null && !(response.socket instanceof Socket)
    this.#socket = KEEPS_HEAD && response.req.method !== 'HEAD' && response.socket instanceof Socket ? response.socket : undefined
  }

  /**
   * Makes the head; it goes out by the end of this turn.
   * @throws TypeError for a header that cannot be sent
   */
  begin (status: number, phrase: string, headers: RawHeaders, standing: StandingHeaders): void {
    const response = this.#response
    if (KEEPS_HEAD && !this.#injected) {
      response.writeHead(status, phrase, headers)
      // Ready-made: checking and joining them again for each answer took 3 of 20 µs.
      response._header = response._header.slice(0, -2) + standing.block + '\r\n'
    } else {
      const all = [...headers, ...standing.flat]
      for (let i = 0; i < all.length; i += 2) response.appendHeader(all[i]!, all[i + 1]!)
      response.writeHead(status, phrase)
    }
    this.#wait()
  }

  /**
   * Writes `bytes[start]` up to `bytes[end]`, which may be another's after the call.
   * False: wait for the drain before the next.
   */
  write (bytes: Buffer, start: number, end: number): boolean {
    const response = this.#response
    const socket = this.#socket
    const length = end - start
    if (socket === undefined) {
      this.#headHeld = false
      return response.write(Buffer.from(bytes.subarray(start, end)))
    }
    this.#takeHead()
    const chunked = response.chunkedEncoding
    if (length <= COPIED) {
      const text = bytes.toString('latin1', start, end)
      this.#waiting += chunked ? `${HEX[length]!}\r\n${text}\r\n` : text
      if (this.#waiting.length > TOGETHER) this.flush()
      else this.#wait()
      return !socket.writableNeedDrain
    }
    return this.#writeLarge(Buffer.from(bytes.subarray(start, end)))
  }

  /** The piece stays as it is until it is written. */
  #writeLarge (piece: Buffer): boolean {
    const socket = this.#socket!
    const chunked = this.#response.chunkedEncoding
    if (!chunked && this.#waiting === '') return socket.write(piece)
    socket.cork()
    if (chunked) this.#waiting += `${piece.length.toString(16)}\r\n`
    this.flush()
    let goOn = socket.write(piece)
    if (chunked) goOn = socket.write('\r\n', 'latin1')
    socket.uncork()
    return goOn
  }

  /** Sends what waits now, be it the head alone. */
  flush (): void {
    const text = this.#waiting
    this.#waiting = ''
    if (text !== '') this.#socket!.write(text, 'latin1')
    else if (this.#headHeld) this.#response.flushHeaders()
    this.#headHeld = false
  }

  /** Ends the answer, behind all that waits. */
  end (): void {
    this.#state = 'ending'
    if (this.#waiting !== '' || (this.#headHeld && this.#socket !== undefined)) this.#wait()
    else this.#finish()
  }

  /** Sends the answer whole; `headers` tell the length of its body, if it has one. */
  send (status: number, phrase: string, headers: RawHeaders, standing: StandingHeaders, body?: Buffer): void {
    this.begin(status, phrase, headers, standing)
    this.#whole = body
    this.end()
  }

  /** Calls back once more can be written, after a write that was false. */
  onceDrained (callback: () => void): void {
    (this.#socket ?? this.#response).once('drain', callback)
  }

  /** Cuts the connection of a client that takes nothing for too long. By the socket's own timer: it sees progress inside one large write. */
  limitReader (): void {
    const response = this.#response
    response.setTimeout(this.#stallLimit)
    if (response.listenerCount('timeout') === 0) response.on('timeout', cutConnection)
  }

  onTurnEnd (): void {
    this.#due = false
    if (this.#state === 'open') this.flush()
    else if (this.#state === 'ending') this.#finish()
  }

  #wait (): void {
    if (this.#due) return
    this.#due = true
    atTurnEnd(this)
  }

  /** The head goes out with what is written next. */
  #takeHead (): void {
    if (!this.#headHeld) return
    this.#headHeld = false
    this.#waiting = this.#response._header
    this.#response._headerSent = true
  }

  #writeWhole (body: Buffer): void {
    if (this.#socket === undefined || body.length <= COPIED) this.write(body, 0, body.length)
    else {
      this.#takeHead()
      this.#writeLarge(body)
    }
  }

  #finish (): void {
    const response = this.#response
    this.#state = 'ended'
    if (this.#whole !== undefined) this.#writeWhole(this.#whole)
    if (this.#waiting !== '') {
      // One write with the last chunk, which is ServerResponse's; its `end` uncorks.
      if (response.chunkedEncoding) this.#socket!.cork()
      this.flush()
    }
    response.end()
    // What is left is the reader's, and it may stop reading.
    if (response.writableLength > 0 && !this.#injected) this.limitReader()
  }
}

function cutConnection (this: ServerResponse): void {
  this.req.socket.destroy()
}
