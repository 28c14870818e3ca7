import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { oneAtATime } from './connection-turns.ts'
import { absoluteForm, withoutDoubledSlashes } from './well-formed.ts'

/** The settings of the HTTP server; times in seconds. */
export interface ServerSettings {
  readonly CLIENT_HEADERS_TIMEOUT: number
  readonly CLIENT_BODY_TIMEOUT: number
  readonly CLIENT_HEADER_LIMIT: number
}

/** Milliseconds that an idle connection of a client is kept. */
const KEEP_ALIVE = 72_000

/** How often Node looks for requests that are too slow, milliseconds: the most that a limit is late. */
const CHECK_INTERVAL = 500

/** The HTTP server, as options of the Fastify instance. */
export function serverOptions ({ CLIENT_HEADERS_TIMEOUT: headers, CLIENT_BODY_TIMEOUT: body, CLIENT_HEADER_LIMIT: maxHeaderSize }: ServerSettings) {
  return {
    serverFactory: (handler: (request: IncomingMessage, response: ServerResponse) => void) => {
      const server = createServer({
        maxHeaderSize,
        // Node wants the limit of the headers within that of the whole request.
        headersTimeout: wholeMs(Math.min(headers, body)),
        requestTimeout: wholeMs(body),
        connectionsCheckingInterval: CHECK_INTERVAL,
        // Node's own answer to a missing Host has no body. plugins/errors.ts has one.
        requireHostHeader: false
      }, oneAtATime(handler))
      server.keepAliveTimeout = KEEP_ALIVE
      return server
    },
    rewriteUrl: (request: IncomingMessage) => {
      const absolute = absoluteForm(request.url!)
      if (absolute === undefined) return withoutDoubledSlashes(request.url!)
      // RFC 9112 section 3.2.2: the host of the target replaces the Host header.
      request.headers.host = absolute.host
      return withoutDoubledSlashes(absolute.path)
    }
  }
}

/** Seconds → milliseconds as Node takes them: whole (2.01 * 1000 is not), and not 0, which means no limit. */
function wholeMs (seconds: number): number {
  return Math.max(1, Math.round(seconds * 1000))
}
