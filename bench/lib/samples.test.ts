import assert from 'node:assert/strict'
import test from 'node:test'
import { median, percentile, Samples } from './samples.ts'

const oneTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

test('percentiles are by nearest rank', () => {
  assert.equal(percentile(oneTo(100), 50), 50)
  assert.equal(percentile(oneTo(100), 99), 99)
  assert.equal(percentile(oneTo(100), 99.5), 100)
  assert.equal(percentile(oneTo(101), 50), 51)
  assert.equal(percentile(oneTo(10), 99), 10)
  assert.equal(percentile([7], 1), 7)
  assert.equal(percentile([15, 20, 35, 40, 50], 30), 20)
  assert.equal(percentile([15, 20, 35, 40, 50], 40), 20)
})

test('a rank that is whole is not pushed up by rounding', () => {
  for (const count of [100, 700, 1_000, 12_300, 1_000_000]) {
    const sorted = { length: count } as ArrayLike<number>
    const values = new Proxy(sorted, { get: (_, key) => (key === 'length' ? count : Number(key) + 1) })
    for (const p of [1, 7, 29, 55, 57, 58, 95, 99]) assert.equal(percentile(values, p), (count / 100) * p)
  }
})

test('no values have no percentile, and a percentage outside (0, 100] is refused', () => {
  assert.ok(Number.isNaN(percentile([], 50)))
  for (const p of [0, -1, 100.1, Number.NaN]) assert.throws(() => percentile([1], p), RangeError)
})

test('the median does not need order', () => {
  assert.equal(median([9, 1, 5]), 5)
  assert.equal(median([4, 1, 3, 2]), 2)
})

test('samples grow, sort as numbers and stop at their limit', () => {
  const samples = new Samples(10_000)
  for (let value = 10_000; value > 0; value--) samples.add(value)
  const { count, mean, p50, p95, p99, max } = samples.summary()
  assert.deepEqual(
    { count, mean, p50, p95, p99, max },
    { count: 10_000, mean: 5_000.5, p50: 5_000, p95: 9_500, p99: 9_900, max: 10_000 },
  )
  assert.throws(() => samples.add(1), RangeError)
  assert.ok(Number.isNaN(new Samples(1).summary().p99))
})
