import assert from 'node:assert/strict'
import test from 'node:test'
import { figuresBetween, parseReading } from './stalls.ts'

/** An exposition with so many looks and stalls in the buckets up to 1, 10, 50 ms and above. */
function exposition(lag: readonly number[], work: readonly number[]): string {
  const lines = (name: string, labels: string, counts: readonly number[]): string[] => {
    let sum = 0
    return ['0.001', '0.01', '0.05', '+Inf'].map((bound, i) => {
      sum += counts[i]!
      return `${name}_bucket{le="${bound}"${labels}} ${sum}`
    })
  }
  return [
    ...lines('myelin_event_loop_lag_seconds', '', lag),
    ...lines('myelin_event_loop_stall_seconds', ',part="work"', work),
    ...lines('another_seconds', '', [9, 9, 9, 9]),
  ].join('\n')
}

test('figures are those between two readings', () => {
  const before = parseReading(exposition([10, 5, 1, 1], [0, 1, 0, 1]))
  const after = parseReading(exposition([108, 6, 2, 1], [0, 2, 1, 1]))
  const figures = { p99: 10, longest: 50, work: 50, gc: 0, wait: 0, perEvent: 0, tooLong: 1 }
  assert.deepEqual(figuresBetween(before, after), figures)
  assert.deepEqual(figuresBetween(after, after), {
    p99: 0,
    longest: 0,
    work: 0,
    gc: 0,
    wait: 0,
    perEvent: 0,
    tooLong: 0,
  })
})

test('what is longer than all bounds has no bound', () => {
  const after = parseReading(exposition([0, 0, 0, 1], [0, 0, 0, 1]))
  assert.equal(figuresBetween(new Map(), after).longest, Number.POSITIVE_INFINITY)
})

test('a text without these histograms has no reading', () => {
  assert.equal(parseReading('x_bucket{le="1"} 2').size, 0)
})
