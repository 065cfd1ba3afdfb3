/** Metrics of requests, under Synapse's names where the meaning is the same. */
import type { Counter, Gauge, Histogram, Metrics } from '#/base/metrics.ts'
import type { Route } from './route.ts'
import type { RouteMetrics } from './route-table.ts'

/** Seconds; from a tenth of a millisecond, because most answers take less than Synapse's first bucket. */
const SECONDS_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

export class HttpMetrics {
  readonly #received: Counter
  readonly #inFlight: Gauge
  readonly #responses: Counter
  readonly #seconds: Histogram
  readonly #serverName: string

  constructor(metrics: Metrics, serverName: string) {
    this.#serverName = serverName
    this.#received = metrics.counter({
      name: 'synapse_http_server_requests_received',
      help: 'Requests received, by method and endpoint.',
      labels: ['method', 'servlet', 'server_name'],
    })
    this.#inFlight = metrics.gauge({
      name: 'synapse_http_server_in_flight_requests_count',
      help: 'Requests being answered at this moment.',
      labels: ['method', 'servlet', 'server_name'],
    })
    this.#responses = metrics.counter({
      name: 'synapse_http_server_responses',
      help: 'Answers, by method and status.',
      labels: ['method', 'code', 'server_name'],
    })
    this.#seconds = metrics.histogram({
      name: 'synapse_http_server_response_time_seconds',
      help: 'Time from the head of a request to its finished answer.',
      labels: ['method', 'servlet', 'tag', 'code', 'server_name'],
      buckets: SECONDS_BUCKETS,
    })
  }

  /** Cells of one endpoint. */
  of(method: string, servlet: string): RouteMetrics {
    const labels = { method, servlet, server_name: this.#serverName }
    return {
      received: this.#received.cell(labels),
      inFlight: this.#inFlight.cell(labels),
      byStatus: new Map(),
    }
  }

  ofRoute(route: Route): RouteMetrics {
    return this.of(route.method, route.servlet ?? route.path)
  }

  /** Counts a finished answer. */
  finished(cells: RouteMetrics, method: string, servlet: string, status: number, seconds: number): void {
    let of = cells.byStatus.get(status)
    if (of === undefined) {
      const code = String(status)
      of = {
        responses: this.#responses.cell({ method, code, server_name: this.#serverName }),
        seconds: this.#seconds.cell({ method, servlet, tag: '', code, server_name: this.#serverName }),
      }
      cells.byStatus.set(status, of)
    }
    of.responses.inc()
    of.seconds.observe(seconds)
  }
}
