import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** Requests that may wait on one connection. Real clients send one at a time. */
const MOST_WAITING = 16

interface Turns {
  current: ServerResponse | undefined
  /** The last request, where it was answered before all of it had come. */
  answeredEarly: IncomingMessage | undefined
  readonly waiting: [IncomingMessage, ServerResponse][]
  /** No further request of this connection is begun. */
  last: boolean
}

const turnsOf = new WeakMap<Duplex, Turns>()

/**
 * A handler that begins the requests of one connection one after the other. Node
 * begins all that were pipelined, and stops reading a connection whose answers
 * pile up: then it never notices that the client has left. A connection with too
 * many waiting requests is closed.
 *
 * A request with `Upgrade` is the last of its connection: Node's parser loses what
 * follows it in the same read, and would read a later body as a request.
 */
export function oneAtATime (handler: Handler): Handler {
  function begin (turns: Turns, request: IncomingMessage, response: ServerResponse): void {
    turns.current = response
    turns.answeredEarly = undefined
    if (request.headers.upgrade !== undefined) {
      turns.last = true
      response.setHeader('connection', 'close')
    }
    response.once('close', () => {
      turns.current = undefined
      if (!request.complete) turns.answeredEarly = request
      // A connection that is closing is not destroyed yet, and takes no more answers.
      if (turns.last || !request.socket.writable) turns.waiting.length = 0
      const next = turns.waiting.shift()
      if (next !== undefined) begin(turns, ...next)
    })
    handler(request, response)
  }
  return (request, response) => {
    const { socket } = request
    let turns = turnsOf.get(socket)
    if (turns === undefined) {
      turns = { current: undefined, answeredEarly: undefined, waiting: [], last: false }
      turnsOf.set(socket, turns)
    }
    if (turns.last) return
    if (turns.current === undefined) begin(turns, request, response)
    else if (turns.waiting.push([request, response]) > MOST_WAITING) socket.destroy()
  }
}

/** The answer that the connection is giving now. */
export function currentAnswer (socket: Duplex): ServerResponse | undefined {
  return turnsOf.get(socket)?.current
}

/** Whether what the connection is sending now is the rest of a request that has its answer. */
export function isAnswered (socket: Duplex): boolean {
  return turnsOf.get(socket)?.answeredEarly?.complete === false
}
