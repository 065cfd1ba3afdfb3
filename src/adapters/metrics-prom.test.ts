import assert from 'node:assert/strict'
import { test } from 'node:test'
import { metricsProm } from './metrics-prom.ts'

test('counters, gauges and histograms in the text format', async () => {
  const metrics = metricsProm()
  const counter = metrics.counter({ name: 'synapse_x', help: 'X.', labels: ['method'] })
  counter.cell({ method: 'GET' }).inc()
  counter.cell({ method: 'GET' }).inc(2)
  counter.cell({ method: 'PUT"\n' }).inc()
  const gauge = metrics.gauge({ name: 'queue', help: 'Q.' })
  gauge.cell().set(5)
  gauge.cell().dec()
  const lazy = metrics.gauge({ name: 'lazy', help: 'L.', labels: ['of'] })
  let length = 1
  lazy.collect((set) => set(length, { of: 'a' }))
  const histogram = metrics.histogram({ name: 'seconds', help: 'S.', labels: ['code'], buckets: [0.1, 1] })
  histogram.cell({ code: '200' }).observe(0.5)
  const first = (await metrics.expose()).text
  length = 2
  const { text, contentType } = await metrics.expose()
  assert.match(first, /lazy\{of="a"\} 1/)
  assert.match(text, /lazy\{of="a"\} 2/)
  assert.match(text, /# TYPE synapse_x_total counter/)
  assert.match(text, /synapse_x_total\{method="GET"\} 3/)
  assert.match(text, /synapse_x_total\{method="PUT\\"\\n"\} 1/)
  assert.match(text, /queue 4/)
  assert.match(text, /seconds_bucket\{le="1",code="200"\} 1/)
  assert.match(contentType, /^text\/plain/)
})

test('process_* figures under the names Prometheus knows', async () => {
  const { text } = await metricsProm({ process: true }).expose()
  for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'process_open_fds']) {
    assert.match(text, new RegExp(`^${name} `, 'm'), name)
  }
})

test('many figures are told over several turns of the event loop', async () => {
  const metrics = metricsProm()
  const counter = metrics.counter({ name: 'many', help: 'Back\\slash and\nline.', labels: ['n'] })
  for (let n = 0; n < 1000; n++) counter.cell({ n: String(n) }).inc(n)
  let turns = 0
  let over = false
  const count = (): void => {
    turns++
    if (!over) setImmediate(count)
  }
  setImmediate(count)
  const { text } = await metrics.expose()
  over = true
  assert.ok(turns >= 3, `${turns} turns`)
  assert.match(text, /^# HELP many_total Back\\\\slash and\\nline\.\n# TYPE many_total counter\n/)
  assert.equal(text.match(/^many_total\{n="\d+"\} \d+$/gm)?.length, 1000)
})
