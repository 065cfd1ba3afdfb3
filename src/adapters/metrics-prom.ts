/** Metrics in Prometheus' text format, by prom-client. */
import * as prom from 'prom-client'
import type { GaugeCell, Labels, MetricSpec, Metrics } from '#/base/metrics.ts'
import { realWorld, turn } from '#/base/world.ts'

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

/** Lines of the exposition that are made without letting others go first. */
const LINES_PER_TURN = 300

/** All metrics as text. prom-client makes it at once, which takes it 10 ms and more. */
async function exposition(registry: prom.Registry): Promise<string> {
  const texts: string[] = []
  let lines = 0
  for (const { name } of registry.getMetricsAsArray()) {
    const metric = await registry.getSingleMetric(name)?.get()
    if (metric === undefined) continue
    texts.push(`# HELP ${name} ${escapeHelp(metric.help)}\n# TYPE ${name} ${metric.type}\n`)
    for (const value of metric.values) {
      texts.push(lineOf(name, value))
      if (++lines % LINES_PER_TURN === 0) await turn(realWorld.clock)
    }
    texts.push('\n')
  }
  return texts.join('')
}

function lineOf(name: string, value: prom.MetricValue<string> & { readonly metricName?: string }): string {
  const labels = Object.entries(value.labels).map(
    ([label, text]) => `${label}="${escapeLabel(String(text))}"`,
  )
  const list = labels.length === 0 ? '' : `{${labels.join(',')}}`
  return `${value.metricName ?? name}${list} ${numberText(value.value)}\n`
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  return Number.isFinite(value) ? String(value) : value < 0 ? '-Inf' : '+Inf'
}

const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"')

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
    expose: async () => ({ contentType: registry.contentType, text: await exposition(registry) }),
  }
}
