import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Lru } from './lru.ts'

test('the entry touched longest ago goes first', () => {
  const lru = new Lru<string, number>(2)
  lru.set('a', 1)
  lru.set('b', 2)
  assert.equal(lru.get('a'), 1)
  lru.set('c', 3)
  assert.deepEqual([lru.peek('a'), lru.peek('b'), lru.peek('c')], [1, undefined, 3])
  assert.equal(lru.size, 2)
  assert.equal(lru.delete('a'), true)
  lru.clear()
  assert.equal(lru.size, 0)
})

test('what was touched lately stays, however seldom it is moved', () => {
  const lru = new Lru<number, number>(100)
  for (let i = 0; i < 100; i++) lru.set(i, i)
  for (let i = 100; i < 1000; i++) {
    /* The youngest half is touched again and again. */
    for (let used = 50; used < 100; used++) assert.equal(lru.get(used), used)
    lru.set(i, i)
    assert.equal(lru.size, 100)
  }
})
