import { LogController, type FastifyReply, type FastifyRequest } from 'fastify'
import cluster from 'node:cluster'
import pino from 'pino'

declare module 'fastify' {
  interface FastifyReply {
    /** Whoever answers writes the log line, too. */
    ownLog: boolean
  }
}

/** Bytes written at once: in a worker no more than a pipe takes whole, so that the lines of several do not mix. */
const BLOCK = cluster.isWorker ? 4096 : 16384
/** Bytes kept for a reader of the log that has stalled; what is more is lost. */
const BACKLOG = 16 * 1024 * 1024

/**
 * Standard output, written in blocks and without waiting: a system call for each
 * line took 9 of the 110 µs of a proxied request, and one that blocks would stop
 * every stream. What is left is written when the process exits.
 */
export function logDestination (): pino.DestinationStream {
  return pino.destination({ dest: 1, sync: false, minLength: BLOCK - 1, maxWrite: BLOCK, maxLength: BACKLOG, periodicFlush: 100 })
}

/**
 * One line for each answered request, in place of Fastify's two. Proxied ones
 * have a line of their own (plugins/proxy.ts), which is also written where no
 * answer was finished.
 */
export class OneLineLog extends LogController {
  override incomingRequest (): void {}

  override requestCompleted (error: Error | null | undefined, request: FastifyRequest, reply: FastifyReply): void {
    if (reply.ownLog) return
    const line = {
      method: request.method,
      path: request.routeOptions.url ?? request.url.split('?', 1)[0],
      status: reply.statusCode,
      durationMs: reply.elapsedTime
    }
    if (error instanceof Error) reply.log.error({ ...line, err: error }, 'answer broke off')
    else reply.log.info(line, 'answered')
  }
}
