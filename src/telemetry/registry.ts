import { collectDefaultMetrics, Registry, type Metric, type MetricType } from '@prometheus-io/client'
import type { Instrument } from './instruments.ts'
import type { Sample } from './series.ts'

/** The two text formats that Prometheus reads. */
export type TextFormat = 'prometheus' | 'openmetrics'

/** The `Content-Type` of each format. */
export const CONTENT_TYPES: Readonly<Record<TextFormat, string>> = {
  prometheus: Registry.PROMETHEUS_CONTENT_TYPE,
  openmetrics: Registry.OPENMETRICS_CONTENT_TYPE
}

/**
 * Node metrics that are left out: promtool rejects their names, or they use private
 * functions of Node (handles and requests).
 */
const LEFT_OUT = [
  ...['handles', 'requests', 'resources'].flatMap(what => [`nodejs_active_${what}`, `nodejs_active_${what}_total`]),
  'nodejs_eventloop_utilization_histogram',
  'nodejs_eventloop_utilization_summary'
]

let processMetrics: Registry | undefined

/** The metrics of this process (CPU, memory, event loop, garbage collection), one set for all gateways in it. */
function processRegistry (): Registry {
  if (processMetrics === undefined) {
    processMetrics = new Registry()
    // The utilisation is left out, so it need not be measured often.
    collectDefaultMetrics({ register: processMetrics, eventLoopUtilizationTimeout: 60_000 })
    for (const name of LEFT_OUT) processMetrics.removeSingleMetric(name)
  }
  return processMetrics
}

/** Starts to measure the process. Garbage collections and delays are counted from this call on. */
export function watchProcess (): void {
  processRegistry()
}

/** A metric with its samples. */
export interface Reading {
  readonly instrument: Pick<Instrument, 'name' | 'help'> & { readonly kind: MetricType }
  readonly samples: readonly Sample[]
}

/**
 * A metric for one scrape. The library's own counters lose their `_total` after
 * they were written as OpenMetrics, so each scrape makes new ones.
 */
class ReadyMetric {
  name: string
  readonly help: string
  readonly type: MetricType
  readonly #samples: readonly Sample[]

  constructor ({ instrument: { name, help, kind }, samples }: Reading) {
    this.name = name
    this.help = help
    this.type = kind
    this.#samples = samples
  }

  async get (): Promise<object> {
    return { name: this.name, help: this.help, type: this.type, values: this.#samples }
  }
}

/** The readings and the metrics of this process as text. */
export async function metricsText (readings: readonly Reading[], format: TextFormat): Promise<string> {
  const registry = new Registry(format === 'openmetrics' ? Registry.OPENMETRICS_CONTENT_TYPE : Registry.PROMETHEUS_CONTENT_TYPE)
  const ofProcess = (await processRegistry().getMetricsAsJSON()).map(({ name, help, type, values }) => ({ instrument: { name, help, kind: type }, samples: values as Sample[] }))
  for (const reading of [...readings, ...ofProcess]) registry.registerMetric(new ReadyMetric(reading) as unknown as Metric)
  return await registry.metrics()
}
