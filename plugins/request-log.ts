import { LogController, type FastifyReply, type FastifyRequest } from 'fastify'
import pino from 'pino'
import { withoutPort } from '../src/http/address.ts'
import type { ObservedExchange } from '../src/telemetry/observation.ts'
import { traceIdOf } from '../src/telemetry/traces.ts'
import { PROBES } from './health.ts'

declare module 'fastify' {
  interface FastifyReply {
    /** Whether the request is proxied: its line is then written when its exchange ends. */
    proxied: boolean
  }
}

/** Bytes that are buffered while the log's reader stalls. Further lines are dropped. */
const BACKLOG = 16 * 1024 * 1024

/** Options of the Fastify instance: pino, written to standard output asynchronously, so that a stalled reader does not stop the streams. */
export function logOptions (level: string) {
  const stream = pino.destination({ dest: 1, sync: false, minLength: 4096, maxLength: BACKLOG, periodicFlush: 100 })
  return { logger: { level, stream }, logController: new RequestLog() }
}

/** Milliseconds for the log, with three decimals. */
export function logged (milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : Math.round(milliseconds * 1000) / 1000
}

/** One line for each answered request, in place of Fastify's two. */
class RequestLog extends LogController {
  override incomingRequest (): void {}

  override requestCompleted (error: Error | null | undefined, request: FastifyRequest, reply: FastifyReply): void {
    if (reply.proxied) return
    if (error instanceof Error) request.log.error({ ...answered(request, reply), outcome: 'broken', err: error }, 'answer broke off')
    else logAnswered(request, reply)
  }
}

/** Logs a request that the gateway answered itself. */
export function logAnswered (request: FastifyRequest, reply: FastifyReply): void {
  request.log[levelOf(request)](answered(request, reply), 'answered')
}

/** Logs a request whose client left before the gateway had answered it itself. */
export function logLeft (request: FastifyRequest, reply: FastifyReply): void {
  request.log[levelOf(request)]({ ...answered(request, reply), outcome: 'client-left', status: reply.raw.headersSent ? reply.statusCode : undefined }, 'client left')
}

function levelOf ({ routeOptions: { url = '' } }: FastifyRequest): 'debug' | 'info' {
  return PROBES.has(url) ? 'debug' : 'info'
}

function answered (request: FastifyRequest, reply: FastifyReply) {
  return { ...whoAndWhat(request), model: editedModel(request), outcome: request.errorCode === undefined ? 'complete' : 'refused', status: reply.statusCode, error: request.errorCode, durationMs: logged(reply.elapsedTime) }
}

/** Logs a proxied request, also one without an answer. */
export function logExchange (request: FastifyRequest, record: ObservedExchange, error?: Error & { code?: string }): void {
  const fields = {
    ...whoAndWhat(request),
    path: record.route,
    outcome: record.outcome,
    phase: record.outcome === 'complete' ? undefined : record.phase,
    status: record.status,
    model: record.requestModel,
    answeredBy: record.responseModel,
    tokensIn: record.usage?.input,
    tokensOut: record.usage?.output,
    bytesIn: record.bytesIn,
    bytesOut: record.bytesOut,
    queueMs: logged(record.queueWait),
    firstByteMs: logged(record.firstByteTime),
    durationMs: logged(record.duration),
    upstreamRequestId: record.upstreamRequestId,
    error: record.errorCode,
    cause: described(error?.cause)
  }
  if (record.errorCode === undefined) request.log.info(fields, 'proxied')
  else request.log.warn(fields, error?.message ?? 'proxied')
}

function whoAndWhat (request: FastifyRequest) {
  return {
    method: request.method,
    path: request.routeOptions.url ?? request.url.split('?', 1)[0],
    // There is none where the connection is gone already.
    client: request.ip && withoutPort(request.ip),
    key: request.keyName,
    traceId: request.span?.traceId ?? traceIdOf(request.headers),
    spanId: request.span?.spanId
  }
}

/** The model of a request to the admin API. */
function editedModel ({ routeOptions, params, body }: FastifyRequest): string | undefined {
  if (routeOptions.url === '/admin/models/*') return (params as { '*': string })['*']
  const { id } = routeOptions.url === '/admin/models' ? (body ?? {}) as { id?: unknown } : {}
  return typeof id === 'string' ? id : undefined
}

/** An error without its other properties: undici's errors contain bytes from the upstream. */
function described (cause: unknown): object | undefined {
  return cause instanceof Error ? { name: cause.name, code: (cause as NodeJS.ErrnoException).code, message: cause.message } : undefined
}
