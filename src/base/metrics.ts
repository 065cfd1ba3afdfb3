/** Figures about the running server. The implementation is an adapter; `noMetrics` forgets everything. */

/** Label values by label name. Values must come from a bounded set, never from foreign text. */
export type Labels = Readonly<Record<string, string>>

export interface MetricSpec {
  /** As Prometheus wants it; a counter's name carries no `_total`, the exposition adds it. */
  readonly name: string
  readonly help: string
  readonly labels?: readonly string[]
}

export interface HistogramSpec extends MetricSpec {
  /** Upper bounds, ascending, without +Inf. */
  readonly buckets?: readonly number[]
}

export interface CounterCell {
  inc(by?: number): void
}
export interface GaugeCell {
  set(value: number): void
  inc(by?: number): void
  dec(by?: number): void
}
export interface HistogramCell {
  observe(value: number): void
}

/**
 * One cell per combination of label values. Keep the cell on hot paths: looking it up costs more than using
 * it.
 */
export interface Counter {
  cell(labels?: Labels): CounterCell
}
export interface Gauge {
  cell(labels?: Labels): GaugeCell
  /** Computes values when someone reads the metrics, for example queue lengths. */
  collect(read: (set: (value: number, labels?: Labels) => void) => void): void
}
export interface Histogram {
  cell(labels?: Labels): HistogramCell
}

export interface Metrics {
  counter(spec: MetricSpec): Counter
  gauge(spec: MetricSpec): Gauge
  histogram(spec: HistogramSpec): Histogram
  /** The text exposition and its content type. */
  expose(): Promise<{ readonly contentType: string; readonly text: string }>
}

const ignore = (): void => {}
const cell = { inc: ignore, dec: ignore, set: ignore, observe: ignore }

/** Forgets everything. */
export const noMetrics: Metrics = {
  counter: () => ({ cell: () => cell }),
  gauge: () => ({ cell: () => cell, collect: ignore }),
  histogram: () => ({ cell: () => cell }),
  expose: async () => ({ contentType: 'text/plain; charset=utf-8', text: '' }),
}
