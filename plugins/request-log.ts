import { LogController, type FastifyReply, type FastifyRequest } from 'fastify'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route writes its own log line. */
    ownLog?: boolean
  }
}

/**
 * One line for each answered request, in place of Fastify's two. Proxied ones
 * have a line of their own (plugins/proxy.ts), which is also written where no
 * answer was finished.
 */
export class OneLineLog extends LogController {
  override incomingRequest (): void {}

  override requestCompleted (error: Error | null | undefined, request: FastifyRequest, reply: FastifyReply): void {
    if (request.routeOptions.config.ownLog === true) return
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
