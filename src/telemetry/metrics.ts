import { PHASES } from '../proxy/exchange-record.ts'
import { INSTRUMENTS, type Instrument, type InstrumentKey } from './instruments.ts'
import type { ObservedExchange } from './observation.ts'
import { errorType, knownMethod, knownStatus, operationName, statesUsage } from './operations.ts'
import { metricsText, watchProcess, type Reading, type TextFormat } from './registry.ts'
import { Count, Distribution, Series, type Sample } from './series.ts'

/** The present state of the gateway, read at each scrape. */
export interface GatewayState {
  /** Requests that hold a slot. */
  inFlight (): number
  /** Requests that wait for one. */
  queued (): number
  /** `opened` counts since the start. */
  upstreamConnections (): { open: number, idle: number, opened: number }
  /** Requests that the shared rate limit did not count; undefined where there is none. */
  uncounted (): number | undefined
  /** Request bodies on disk. */
  spool (): { bodies: number, bytes: number }
  /** Age in seconds, undefined for a static list; refreshes since the start. */
  catalog (): { models: number, age: number | undefined, refreshes: { success: number, failure: number } }
}

/** Settings of {@link GatewayMetrics}. */
export interface MetricsSettings {
  readonly state: GatewayState
  /** Whether the catalog has an active model of that id. */
  readonly knowsModel: (id: string) => boolean
  readonly version: string
  /** MAX_QUEUED_REQUESTS. */
  readonly queueLimit: number
  /** MODEL_CACHE_TIMEOUT, seconds. */
  readonly catalogMaxAge: number
}

/** The instruments that are counted at each event. */
type CountedKey<Kind> = { [K in InstrumentKey]: typeof INSTRUMENTS[K] extends { readonly read: true } ? never : typeof INSTRUMENTS[K]['kind'] extends Kind ? K : never }[InstrumentKey]
type Counted = Record<CountedKey<'counter'>, Series<Count>> & Record<CountedKey<'histogram'>, Series<Distribution>>

/** The series of requests of one kind. */
interface Subject {
  readonly durations: Map<string, Distribution>
  readonly labels: readonly [operation: string, requestModel: string, responseModel: string, route: string]
  readonly timeToFirstChunk: Distribution
  readonly timePerOutputChunk: Distribution
  readonly inputTokens: Count
  readonly outputTokens: Count
  readonly cachedInputTokens: Count
  readonly reasoningTokens: Count
  readonly bytesIn: Count
  readonly bytesOut: Count
}

/** Counts events, and formats all metrics for Prometheus. */
export class GatewayMetrics {
  readonly #settings: MetricsSettings
  readonly #series: Counted
  readonly #subjects = new Map<string, Subject>()

  constructor (settings: MetricsSettings) {
    this.#settings = settings
    this.#series = Object.fromEntries(Object.entries<Instrument>(INSTRUMENTS).filter(([, { read }]) => read === undefined).map(([key, instrument]) => [
      key,
      instrument.kind === 'counter' ? new Series(instrument, () => new Count()) : new Series(instrument, () => new Distribution(instrument.buckets!))
    ])) as unknown as Counted
    // Begins at 0, so that the first event shows in a rate.
    for (const phase of PHASES) this.#series.clientsLeft.at(phase)
    watchProcess()
  }

  /** A proxied request is over. */
  onExchangeEnd (record: ObservedExchange): void {
    const subject = this.#subjectOf(record)
    const error = errorType(record) ?? ''
    this.#durationOf(subject, error).observe(seconds(record.duration))
    if (record.streamed && record.firstByteTime !== undefined) subject.timeToFirstChunk.observe(seconds(record.firstByteTime))
    const gaps = record.pieces - 1
    if (record.streamed && record.streamTime !== undefined && gaps > 0) subject.timePerOutputChunk.observe(seconds(record.streamTime) / gaps, gaps)
    subject.bytesIn.value += record.bytesIn
    subject.bytesOut.value += record.bytesOut
    if (record.usage !== undefined) {
      subject.inputTokens.value += record.usage.input ?? 0
      subject.outputTokens.value += record.usage.output ?? 0
      subject.cachedInputTokens.value += record.usage.cachedInput ?? 0
      subject.reasoningTokens.value += record.usage.reasoning ?? 0
    } else if (statesUsage(record)) this.#series.withoutUsage.at(subject.labels[1], subject.labels[3]).value++
    if (record.queueWait !== undefined) this.#series.queueWait.at().observe(seconds(record.queueWait))
    if (record.connectTime !== undefined) this.#series.connectTime.at().observe(seconds(record.connectTime))
    if (record.outcome === 'client-left') this.#series.clientsLeft.at(record.phase).value++
    else if (record.outcome === 'broken') this.#series.streamsBroken.at(error).value++
    else if (record.outcome === 'refused') this.onRefused(error)
  }

  /**
   * A request was refused with an error of the gateway.
   * @param code of the gateway's table of errors
   */
  onRefused (code: string): void {
    this.#series.refused.at(code).value++
  }

  /** An answer was sent whole. @param route the route's template; undefined: no such route */
  onAnswer (route: string | undefined, method: string, status: number): void {
    this.#series.httpRequests.at(route ?? 'unknown', knownMethod(method), knownStatus(status)).value++
  }

  /** All metrics in one of Prometheus' text formats. */
  async text (format: TextFormat): Promise<string> {
    const counted = Object.values<Series<Count> | Series<Distribution>>(this.#series).map((series): Reading => ({ instrument: series.instrument, samples: series.samples() }))
    return await metricsText([...counted, ...this.#state()], format)
  }

  #state (): Reading[] {
    const { state, version, queueLimit, catalogMaxAge } = this.#settings
    const connections = state.upstreamConnections()
    const spool = state.spool()
    const catalog = state.catalog()
    const read = (key: InstrumentKey, ...samples: readonly [number | undefined, Sample['labels']?][]): Reading => ({
      instrument: INSTRUMENTS[key],
      samples: samples.flatMap(([value, labels = {}]) => value === undefined ? [] : [{ value, labels }])
    })
    return [
      read('inFlight', [state.inFlight()]),
      read('queued', [state.queued()]),
      read('queueLimit', [queueLimit]),
      read('connections', [connections.open - connections.idle, { state: 'used' }], [connections.idle, { state: 'idle' }]),
      read('connectionsOpened', [connections.opened]),
      read('spooledBodies', [spool.bodies]),
      read('spooledBytes', [spool.bytes]),
      read('uncounted', [state.uncounted()]),
      read('catalogModels', [catalog.models]),
      read('catalogAge', [catalog.age]),
      read('catalogMaxAge', [catalogMaxAge]),
      read('catalogRefreshes', [catalog.refreshes.success, { result: 'success' }], [catalog.refreshes.failure, { result: 'failure' }]),
      read('buildInfo', [1, { version }])
    ]
  }

  /** The label of a model: its id if the catalog has it, else `other`, so that clients cannot create labels. */
  #modelLabel (id: string | null | undefined): string {
    if (id === undefined) return ''
    return id !== null && this.#settings.knowsModel(id) ? id : 'other'
  }

  #subjectOf (record: ObservedExchange): Subject {
    const labels = [operationName(record.operation), this.#modelLabel(record.requestModel), this.#modelLabel(record.responseModel), record.route] as const
    const key = labels.join('\n')
    const known = this.#subjects.get(key)
    if (known !== undefined) return known
    const series = this.#series
    const subject: Subject = {
      labels,
      durations: new Map(),
      timeToFirstChunk: series.timeToFirstChunk.at(...labels),
      timePerOutputChunk: series.timePerOutputChunk.at(...labels),
      inputTokens: series.inputTokens.at(...labels),
      outputTokens: series.outputTokens.at(...labels),
      cachedInputTokens: series.cachedInputTokens.at(...labels),
      reasoningTokens: series.reasoningTokens.at(...labels),
      bytesIn: series.bytesIn.at(record.route),
      bytesOut: series.bytesOut.at(record.route)
    }
    this.#subjects.set(key, subject)
    return subject
  }

  #durationOf ({ durations, labels }: Subject, error: string): Distribution {
    let duration = durations.get(error)
    if (duration === undefined) durations.set(error, duration = this.#series.duration.at(...labels, error))
    return duration
  }
}

/** Milliseconds → seconds, Prometheus' unit. */
function seconds (milliseconds: number): number {
  return milliseconds / 1000
}
