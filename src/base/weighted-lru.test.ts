import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WeightedLru } from './weighted-lru.ts'

test('what was touched longest ago goes when the values weigh too much', () => {
  const lru = new WeightedLru<string, string>(10)
  lru.set('a', 'A', 4)
  lru.set('b', 'B', 4)
  assert.equal(lru.get('a'), 'A')
  lru.set('c', 'C', 4)
  assert.deepEqual([lru.peek('a'), lru.peek('b'), lru.peek('c')], ['A', undefined, 'C'])
  assert.equal(lru.bytes, 8)
})

test('a value that grows pushes others out, but not itself', () => {
  const lru = new WeightedLru<string, string>(10)
  lru.set('a', 'A', 4)
  lru.set('b', 'B', 4)
  lru.weigh('b', 20)
  assert.deepEqual([lru.peek('a'), lru.peek('b'), lru.bytes], [undefined, 'B', 20])
  lru.weigh('gone', 5)
  assert.equal(lru.bytes, 20)
})

test('a value that may not go stays, and replacing or deleting gives its weight back', () => {
  const lru = new WeightedLru<string, string>(10, (value) => value !== 'held')
  lru.set('a', 'held', 8)
  lru.set('b', 'B', 8)
  assert.equal(lru.peek('a'), 'held')
  lru.set('b', 'B2', 1)
  assert.equal(lru.bytes, 9)
  lru.delete('a')
  lru.delete('a')
  assert.deepEqual([lru.bytes, lru.size], [1, 1])
})
