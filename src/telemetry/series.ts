import type { Instrument } from './instruments.ts'

/**
 * The counting itself. The library's takes 450 to 650 ns for each value with its
 * labels, and a chat request has about ten: 5 of its 60 µs. Here the series of a
 * request are looked up once, and a value is an addition (test/bench/metrics.ts).
 * The text formats are the library's (src/telemetry/registry.ts).
 */

/** One number with its labels. */
export class Count {
  value = 0
}

/** One histogram with its labels. */
export class Distribution {
  readonly bounds: readonly number[]
  /** How many values each bound is the lowest for. */
  readonly counts: number[]
  sum = 0
  count = 0

  constructor (bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = bounds.map(() => 0)
  }

  /** @param times how many values of that size */
  observe (value: number, times = 1): void {
    this.sum += value * times
    this.count += times
    for (let i = 0; i < this.bounds.length; i++) {
      if (value > this.bounds[i]!) continue
      this.counts[i]! += times
      return
    }
  }
}

/** A sample as the library's registry takes it. */
export interface Sample {
  readonly value: number
  readonly labels: Readonly<Record<string, string | number>>
  readonly metricName?: string
}

/** The series of one instrument, by the values of its labels. */
export class Series<T extends Count | Distribution> {
  readonly instrument: Instrument
  readonly #make: () => T
  readonly #byLabels = new Map<string, { readonly labels: Record<string, string>, readonly series: T }>()

  constructor (instrument: Instrument, make: () => T) {
    this.instrument = instrument
    this.#make = make
    if (instrument.labels.length === 0) this.at()
  }

  /** The series with these values, in the order of the instrument's labels; begins at 0. */
  at (...values: string[]): T {
    // No label has a line break: a model's is an id of the catalog.
    const key = values.join('\n')
    const known = this.#byLabels.get(key)
    if (known !== undefined) return known.series
    const series = this.#make()
    this.#byLabels.set(key, { labels: Object.fromEntries(this.instrument.labels.map((name, i) => [name, values[i]!])), series })
    return series
  }

  /** All samples, as Prometheus wants them. */
  samples (): Sample[] {
    return [...this.#byLabels.values()].flatMap(({ labels, series }) => series instanceof Count ? [{ labels, value: series.value }] : distributed(this.instrument.name, labels, series))
  }
}

function distributed (name: string, labels: Record<string, string>, { bounds, counts, sum, count }: Distribution): Sample[] {
  let upTo = 0
  const buckets = bounds.map((le, i) => {
    upTo += counts[i]!
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: upTo }
  })
  return [
    ...buckets,
    { metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: count },
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count }
  ]
}
