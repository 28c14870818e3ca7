import type { IncomingHttpHeaders } from 'node:http'
import type { ExchangeRecord } from './observation.ts'

/** The span of one request, from its arrival to its end. */
export interface RequestSpan {
  /** For the log: 32 and 16 hexadecimal digits. */
  readonly traceId: string
  readonly spanId: string
  /**
   * The request goes to the service now: begins the span of that.
   * @returns the headers that make it the parent of the service's own, in place of the client's
   */
  startUpstream (): UpstreamTraceHeaders
  /** The request is over, however it ended; ends both spans. */
  end (record: ExchangeRecord): void
}

/** W3C Trace Context (https://www.w3.org/TR/trace-context/). */
export interface UpstreamTraceHeaders {
  readonly traceparent: string
  readonly tracestate?: string
}

/** Makes spans and sends them. */
export interface Traces {
  /** @param headers of the client's request, which may name the parent */
  startServerSpan (headers: IncomingHttpHeaders): RequestSpan
  /** Sends what is left; at most a few seconds. Never rejects. */
  close (): Promise<void>
}

/** What {@link startTraces} needs. */
export interface TracesOptions {
  /** OpenTelemetry's standard variables, see docs/operations.md. */
  readonly environment: NodeJS.ProcessEnv
  /** INFERENCE_SERVICE_URL. */
  readonly upstream: string
  readonly version: string
  /** Is told what is wrong with a setting or with the sending. */
  readonly warn: (message: string) => void
}

/**
 * Starts the traces where OTEL_EXPORTER_OTLP_ENDPOINT (or _TRACES_ENDPOINT) is set.
 * @returns undefined where it is not: then nothing of OpenTelemetry's SDK is loaded,
 * and `traceparent` and `tracestate` pass unchanged
 */
export async function startTraces (options: TracesOptions): Promise<Traces | undefined> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: all, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: traces, OTEL_SDK_DISABLED: disabled, OTEL_TRACES_EXPORTER: exporter } = options.environment
  if (!all?.trim() && !traces?.trim()) return undefined
  if (disabled?.trim().toLowerCase() === 'true' || exporter?.trim() === 'none') return undefined
  const { OpenTelemetryTraces } = await import('./opentelemetry-traces.ts')
  return new OpenTelemetryTraces(options)
}
