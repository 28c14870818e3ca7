import { defaultTextMapGetter, defaultTextMapSetter, diag, DiagLogLevel, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Attributes, type Context, type Span, type Tracer } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { defaultResource, detectResources, envDetector } from '@opentelemetry/resources'
import { AlwaysOffSampler, AlwaysOnSampler, BatchSpanProcessor, ParentBasedSampler, TraceIdRatioBasedSampler, TracerProvider, type BatchSpanProcessorOptions, type Sampler } from '@opentelemetry/sdk-trace'
import type { IncomingHttpHeaders } from 'node:http'
import type { ObservedExchange } from './observation.ts'
import { errorType, knownMethod, operationName } from './operations.ts'
import type { AnsweredRequest, RequestSpan, Traces, TracesOptions, UpstreamTraceHeaders } from './traces.ts'

/** `OTEL_TRACES_SAMPLER`, as OpenTelemetry's specification lists it ("SDK environment variables"). */
const SAMPLERS: Readonly<Record<string, (ratio: number) => Sampler>> = {
  always_on: () => new AlwaysOnSampler(),
  always_off: () => new AlwaysOffSampler(),
  traceidratio: ratio => new TraceIdRatioBasedSampler(ratio),
  parentbased_always_on: () => new ParentBasedSampler({ root: new AlwaysOnSampler() }),
  parentbased_always_off: () => new ParentBasedSampler({ root: new AlwaysOffSampler() }),
  parentbased_traceidratio: ratio => new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) })
}

/** The batch's settings, which the SDK does not read itself. */
const BATCH: Readonly<Record<string, keyof BatchSpanProcessorOptions>> = {
  OTEL_BSP_SCHEDULE_DELAY: 'scheduledDelayMillis',
  OTEL_BSP_EXPORT_TIMEOUT: 'exportTimeoutMillis',
  OTEL_BSP_MAX_QUEUE_SIZE: 'maxQueueSize',
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: 'maxExportBatchSize'
}

/** Longest time to send the last spans when the process ends, milliseconds. */
const CLOSE_LIMIT = 3000

/** Ports that a URL leaves out. */
const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 }

const propagator = new W3CTraceContextPropagator()

/**
 * Spans by OpenTelemetry's SDK, sent by OTLP over HTTP as protobuf. The exporter reads
 * its own variables (endpoint, headers, timeout, compression, certificates) itself.
 */
export class OpenTelemetryTraces implements Traces {
  readonly #provider: TracerProvider
  readonly #tracer: Tracer
  readonly #server: Attributes

  constructor ({ environment, upstream, version, warn }: TracesOptions) {
    const ignore = () => {}
    diag.setLogger({ error: warn, warn, info: ignore, debug: ignore, verbose: ignore }, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true })
    const protocol = environment.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? environment.OTEL_EXPORTER_OTLP_PROTOCOL
    if (protocol !== undefined && protocol !== 'http/protobuf') warn(`traces are sent as http/protobuf, not as ${protocol}`)
    this.#provider = new TracerProvider({
      resource: defaultResource().merge(detectResources({ detectors: [envDetector] })),
      sampler: samplerOf(environment, warn),
      spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter(), ...batchOf(environment) })]
    })
    this.#tracer = this.#provider.getTracer('model-gateway', version)
    const { hostname, port, protocol: scheme } = new URL(upstream)
    this.#server = { 'server.address': hostname, 'server.port': port === '' ? DEFAULT_PORTS[scheme]! : Number(port) }
  }

  startServerSpan (headers: IncomingHttpHeaders): RequestSpan {
    return new OpenTelemetryRequestSpan(this.#tracer, this.#server, propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter))
  }

  async close (): Promise<void> {
    const limit = new Promise<void>(resolve => setTimeout(resolve, CLOSE_LIMIT).unref())
    await Promise.race([limit, this.#provider.shutdown().catch(() => {})])
  }
}

class OpenTelemetryRequestSpan implements RequestSpan {
  readonly #tracer: Tracer
  readonly #server: Attributes
  readonly #span: Span
  readonly #context: Context
  #upstream: Span | undefined

  constructor (tracer: Tracer, server: Attributes, parent: Context) {
    this.#tracer = tracer
    this.#server = server
    // The final name is set when the route is known. Samplers see this one.
    this.#span = tracer.startSpan('HTTP', { kind: SpanKind.SERVER }, parent)
    this.#context = trace.setSpan(parent, this.#span)
  }

  get traceId (): string { return this.#span.spanContext().traceId }
  get spanId (): string { return this.#span.spanContext().spanId }

  startUpstream (): UpstreamTraceHeaders {
    this.#upstream = this.#tracer.startSpan('HTTP', { kind: SpanKind.CLIENT, attributes: this.#server }, this.#context)
    const headers: Record<string, string> = {}
    propagator.inject(trace.setSpan(this.#context, this.#upstream), headers, defaultTextMapSetter)
    return headers as unknown as UpstreamTraceHeaders
  }

  endAnswered (request: AnsweredRequest): void {
    this.#end(request)
  }

  endExchange (record: ObservedExchange): void {
    const { method, route, status, outcome, phase, queueWait } = record
    const error = errorType(record)
    if (this.#upstream !== undefined) {
      this.#upstream.updateName(nameOf(record))
      this.#upstream.setAttributes(upstreamAttributes(record, error))
      if (error !== undefined) this.#upstream.setStatus({ code: SpanStatusCode.ERROR, message: error })
      this.#upstream.end()
    }
    this.#end({ method, route, status, error }, { 'gateway.outcome': outcome, 'gateway.phase': phase, 'gateway.queue_wait': seconds(queueWait) })
  }

  #end ({ method, route = 'unknown', status, error }: AnsweredRequest, ofExchange: Attributes = {}): void {
    // Where the client left while a hook was waiting, the span has ended before the exchange began.
    if (!this.#span.isRecording()) return
    this.#span.updateName(`${knownMethod(method)} ${route}`)
    this.#span.setAttributes(withoutUndefined({
      'http.request.method': knownMethod(method),
      'http.route': route,
      'http.response.status_code': status,
      'error.type': error,
      ...ofExchange
    }))
    // A client's error is not an error of a server span (semantic conventions for HTTP spans).
    if ((status ?? 0) >= 500 || ofExchange['gateway.outcome'] === 'broken') this.#span.setStatus({ code: SpanStatusCode.ERROR, message: error ?? '' })
    this.#span.end()
  }
}

/** `{gen_ai.operation.name} {gen_ai.request.model}`, as the conventions require. */
function nameOf ({ operation, requestModel }: ObservedExchange): string {
  return typeof requestModel === 'string' ? `${operationName(operation)} ${requestModel}` : operationName(operation)
}

function upstreamAttributes (record: ObservedExchange, error: string | undefined): Attributes {
  const { usage = {} } = record
  return withoutUndefined({
    'gen_ai.operation.name': operationName(record.operation),
    'gen_ai.request.model': record.requestModel ?? undefined,
    'gen_ai.response.model': record.responseModel,
    'gen_ai.usage.input_tokens': usage.input,
    'gen_ai.usage.output_tokens': usage.output,
    'gen_ai.usage.cache_read.input_tokens': usage.cachedInput,
    'gen_ai.usage.reasoning.output_tokens': usage.reasoning,
    'gen_ai.response.time_to_first_chunk': record.streamed ? seconds(record.firstByteTime) : undefined,
    'http.request.method': record.method,
    'http.response.status_code': record.outcome === 'refused' ? undefined : record.status,
    'error.type': error
  })
}

/** Milliseconds → seconds, the unit of the conventions. */
function seconds (milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : milliseconds / 1000
}

function withoutUndefined (attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined))
}

function samplerOf ({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: argument }: NodeJS.ProcessEnv, warn: (message: string) => void): Sampler {
  const make = SAMPLERS[name || 'parentbased_always_on']
  if (make === undefined) warn(`OTEL_TRACES_SAMPLER must be one of: ${Object.keys(SAMPLERS).join(', ')}; all traces are kept`)
  const ratio = argument ? Number(argument) : 1
  if (!(ratio >= 0 && ratio <= 1)) warn('OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1; all traces are kept')
  return (make ?? SAMPLERS.parentbased_always_on!)(ratio >= 0 && ratio <= 1 ? ratio : 1)
}

function batchOf (environment: NodeJS.ProcessEnv): Partial<BatchSpanProcessorOptions> {
  const set = Object.entries(BATCH).map(([name, option]) => [option, Number(environment[name] || NaN)] as const)
  return Object.fromEntries(set.filter(([, value]) => Number.isInteger(value) && value >= 0))
}
