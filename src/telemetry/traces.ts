import type { IncomingHttpHeaders } from 'node:http'
import type { ObservedExchange } from './observation.ts'

/** The span of one request, from its arrival to its end. */
export interface RequestSpan {
  /** Ids for the log: 32 and 16 hexadecimal digits. */
  readonly traceId: string
  readonly spanId: string
  /**
   * Begins the client span: the request goes to the service.
   * @returns trace headers that make it the parent of the service's spans
   */
  startUpstream (): UpstreamTraceHeaders
  /** The gateway has answered the request itself, or its client has left before that. */
  endAnswered (request: AnsweredRequest): void
  /** A proxied request is over, however it ended; ends both spans. */
  endExchange (exchange: ObservedExchange): void
}

/** A request that is over and was not proxied. */
export interface AnsweredRequest {
  readonly method: string
  /** The route's template. Undefined: there is no such route. */
  readonly route: string | undefined
  /** Undefined: the client left before the answer began. */
  readonly status: number | undefined
  /** The code of the gateway's error, or `client_left`. Undefined: none. */
  readonly error: string | undefined
}

/** W3C Trace Context (https://www.w3.org/TR/trace-context/). */
export interface UpstreamTraceHeaders {
  readonly traceparent: string
  readonly tracestate?: string
}

/** Creates spans and exports them. */
export interface Traces {
  /** @param headers of the client's request, which may name the parent */
  startServerSpan (headers: IncomingHttpHeaders): RequestSpan
  /** Sends the remaining spans within a few seconds. Never rejects. */
  close (): Promise<void>
}

/** Raw headers (name, value, …) with the client's trace headers replaced. */
export function withTraceHeaders (headers: readonly string[], { traceparent, tracestate }: UpstreamTraceHeaders): string[] {
  const others = headers.filter((_, i) => !/^trace(parent|state)$/i.test(headers[i - i % 2]!))
  return [...others, 'traceparent', traceparent, ...(tracestate === undefined ? [] : ['tracestate', tracestate])]
}

/** The trace that a request's `traceparent` names. */
export function traceIdOf (headers: IncomingHttpHeaders): string | undefined {
  return /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-/.exec(String(headers.traceparent))?.[1]
}

/** What {@link startTraces} needs. */
export interface TracesOptions {
  /** OpenTelemetry's standard variables, see docs/operations.md. */
  readonly environment: NodeJS.ProcessEnv
  /** INFERENCE_SERVICE_URL. */
  readonly upstream: string
  readonly version: string
  /** Called with problems of a setting or of the export. */
  readonly warn: (message: string) => void
}

/**
 * Starts tracing if OTEL_EXPORTER_OTLP_ENDPOINT (or _TRACES_ENDPOINT) is set.
 * @returns undefined if it is not: then nothing of OpenTelemetry is loaded here,
 * and `traceparent` and `tracestate` pass unchanged
 */
export async function startTraces (options: TracesOptions): Promise<Traces | undefined> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: all, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: traces, OTEL_SDK_DISABLED: disabled, OTEL_TRACES_EXPORTER: exporter } = options.environment
  if (!all?.trim() && !traces?.trim()) return undefined
  if (disabled?.trim().toLowerCase() === 'true' || exporter?.trim() === 'none') return undefined
  const { OpenTelemetryTraces } = await import('./opentelemetry-traces.ts')
  return new OpenTelemetryTraces(options)
}
