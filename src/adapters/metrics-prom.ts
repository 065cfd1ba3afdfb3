/** Metrics in Prometheus' text format, by prom-client. */
import * as prom from 'prom-client'
import type { GaugeCell, Labels, MetricSpec, Metrics } from '#/base/metrics.ts'

const NO_LABELS: Labels = {}

/**
 * Values by label combination. prom-client hashes the labels at each change; these are given to it when it is
 * asked.
 */
class Cells {
  readonly #names: readonly string[]
  readonly #byKey = new Map<string, { readonly labels: Labels; readonly cell: NumberCell }>()

  constructor(names: readonly string[]) {
    this.#names = names
  }

  cell(labels: Labels): NumberCell {
    const key = JSON.stringify(this.#names.map((name) => labels[name]))
    let entry = this.#byKey.get(key)
    if (entry === undefined) {
      entry = { labels, cell: new NumberCell() }
      this.#byKey.set(key, entry)
    }
    return entry.cell
  }

  write(to: (labels: Labels, value: number) => void): void {
    for (const { labels, cell } of this.#byKey.values()) to(labels, cell.value)
  }
}

class NumberCell implements GaugeCell {
  value = 0
  inc(by = 1): void {
    this.value += by
  }
  dec(by = 1): void {
    this.value -= by
  }
  set(value: number): void {
    this.value = value
  }
}

/** A registry of its own, with the process's figures (process_*, nodejs_*) when asked for. */
export function metricsProm(options: { readonly process?: boolean } = {}): Metrics {
  const registry = new prom.Registry()
  if (options.process === true) prom.collectDefaultMetrics({ register: registry })
  const base = (spec: MetricSpec, name = spec.name) => ({
    name,
    help: spec.help,
    labelNames: [...(spec.labels ?? [])],
    registers: [registry],
  })
  return {
    counter(spec) {
      const cells = new Cells(spec.labels ?? [])
      new prom.Counter({
        ...base(spec, `${spec.name}_total`),
        collect() {
          this.reset()
          cells.write((labels, value) => this.inc(labels, value))
        },
      })
      return { cell: (labels = NO_LABELS) => cells.cell(labels) }
    },
    gauge(spec) {
      const cells = new Cells(spec.labels ?? [])
      const readers: ((set: (value: number, labels?: Labels) => void) => void)[] = []
      new prom.Gauge({
        ...base(spec),
        collect() {
          this.reset()
          cells.write((labels, value) => this.set(labels, value))
          for (const read of readers) read((value, labels = NO_LABELS) => this.set(labels, value))
        },
      })
      return { cell: (labels = NO_LABELS) => cells.cell(labels), collect: (read) => void readers.push(read) }
    },
    histogram(spec) {
      const histogram = new prom.Histogram({
        ...base(spec),
        ...(spec.buckets === undefined ? {} : { buckets: [...spec.buckets] }),
      })
      return { cell: (labels = NO_LABELS) => histogram.labels(labels) }
    },
    expose: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  }
}
