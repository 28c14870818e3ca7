import { LogController, type FastifyReply, type FastifyRequest } from 'fastify'
import pino from 'pino'
import type { ExchangeRecord } from '../src/telemetry/observation.ts'
import { traceIdOf, type RequestSpan } from '../src/telemetry/traces.ts'

declare module 'fastify' {
  interface FastifyReply {
    /** The request is proxied: its line is written at the end of its exchange. */
    proxied: boolean
  }
}

/** Bytes that are kept for a reader of the log that has stalled. What is more is dropped. */
const BACKLOG = 16 * 1024 * 1024

/** pino to standard output, written without waiting: a reader that stalls must not stop the streams. An option of the Fastify instance. */
export function logOptions (level: string) {
  const stream = pino.destination({ dest: 1, sync: false, minLength: 4096, maxLength: BACKLOG, periodicFlush: 100 })
  return { logger: { level, stream }, logController: new RequestLog() }
}

/** Milliseconds as they are logged: to the microsecond. */
export function logged (milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : Math.round(milliseconds * 1000) / 1000
}

/** Routes that probes ask all the time. */
const PROBES = new Set(['/healthz', '/readyz', '/metrics'])

/** One line for each answered request, in place of Fastify's two. */
class RequestLog extends LogController {
  override incomingRequest (): void {}

  override requestCompleted (error: Error | null | undefined, request: FastifyRequest, reply: FastifyReply): void {
    if (reply.proxied) return
    if (error instanceof Error) request.log.error({ ...answered(request, reply), err: error }, 'answer broke off')
    else logAnswered(request, reply)
  }
}

/** Logs a request that the gateway answered itself. */
export function logAnswered (request: FastifyRequest, reply: FastifyReply): void {
  const level = PROBES.has(request.routeOptions.url ?? '') ? 'debug' : 'info'
  request.log[level](answered(request, reply), 'answered')
}

function answered (request: FastifyRequest, reply: FastifyReply) {
  return { ...whoAndWhat(request), model: editedModel(request), status: reply.statusCode, durationMs: logged(reply.elapsedTime) }
}

/** The line of a proxied request, also where it got no answer. */
export function logExchange (request: FastifyRequest, record: ExchangeRecord, span?: RequestSpan, error?: Error & { code?: string }): void {
  const fields = {
    ...whoAndWhat(request),
    path: record.route,
    traceId: span?.traceId ?? traceIdOf(request.headers),
    spanId: span?.spanId,
    outcome: record.outcome,
    phase: record.outcome === 'complete' ? undefined : record.phase,
    status: record.status,
    model: record.requestModel,
    answeredBy: record.responseModel,
    tokensIn: record.usage?.input,
    tokensOut: record.usage?.output,
    bytesIn: record.bytesIn,
    bytesOut: record.bytesOut,
    queueMs: inMs(record.queueWait),
    firstByteMs: inMs(record.timeToFirstByte),
    durationMs: inMs(record.duration),
    upstreamRequestId: record.upstreamRequestId,
    error: record.errorCode,
    cause: described(error?.cause)
  }
  if (record.errorCode === undefined) request.log.info(fields, 'proxied')
  else request.log.warn(fields, error?.message ?? 'proxied')
}

/** Seconds as they are logged. */
function inMs (seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : logged(seconds * 1000)
}

function whoAndWhat (request: FastifyRequest) {
  return {
    method: request.method,
    path: request.routeOptions.url ?? request.url.split('?', 1)[0],
    client: request.ip,
    key: request.keyName
  }
}

/** The model that a request to the admin API is about. */
function editedModel ({ routeOptions, params, body }: FastifyRequest): string | undefined {
  if (routeOptions.url === '/admin/models/*') return (params as { '*': string })['*']
  const { id } = routeOptions.url === '/admin/models' ? (body ?? {}) as { id?: unknown } : {}
  return typeof id === 'string' ? id : undefined
}

/** An error without its other properties: undici's hold bytes that the upstream sent. */
function described (cause: unknown): object | undefined {
  return cause instanceof Error ? { name: cause.name, code: (cause as NodeJS.ErrnoException).code, message: cause.message } : undefined
}
