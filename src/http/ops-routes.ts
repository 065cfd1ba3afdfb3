/** Routes for operators and load balancers: health and metrics. */
import type { Metrics } from '#/base/metrics.ts'
import { content, type Reply } from './reply.ts'
import { type Route, route } from './route.ts'

/** What is wrong with the server, as short words; empty when all is well. */
export type HealthCheck = () => readonly string[]

/** `GET /health`: 200 `OK` as Synapse answers, 503 with the reasons while something is broken. */
export function healthRoute(check: HealthCheck): Route {
  return route({
    method: 'GET',
    path: '/health',
    spec: 'own',
    auth: 'none',
    limit: 'none',
    quiet: true,
    handle(): Reply {
      const wrong = check()
      if (wrong.length === 0) return content(200, 'text/plain; charset=utf-8', 'OK')
      return content(503, 'text/plain; charset=utf-8', `not healthy: ${wrong.join(', ')}`)
    },
  })
}

/** `GET /_synapse/metrics`, and `/metrics`, which some listeners of Synapse serve too. */
export function metricsRoute(metrics: Metrics): Route {
  return route({
    method: 'GET',
    path: '/_synapse/metrics',
    also: ['/metrics'],
    spec: 'own',
    auth: 'none',
    limit: 'none',
    quiet: true,
    async handle(): Promise<Reply> {
      const { contentType, text } = await metrics.expose()
      return content(200, contentType, text)
    },
  })
}
