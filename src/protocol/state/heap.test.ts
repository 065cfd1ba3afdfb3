import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Heap } from './heap.ts'
import { seededRandom } from './testing/random.ts'

test('a heap gives the smallest first, whatever is pushed between, in n log n comparisons', () => {
  const random = seededRandom(1)
  for (let size = 0; size <= 300; size += 1) {
    let comparisons = 0
    const heap = new Heap<number>((a, b) => {
      comparisons += 1
      assert.ok(Number.isInteger(a) && Number.isInteger(b))
      return a < b
    })
    const inside: number[] = []
    const popped: number[] = []
    const pop = (): void => {
      inside.sort((a, b) => a - b)
      const expected = inside.shift()
      assert.equal(heap.pop(), expected)
      if (expected !== undefined) popped.push(expected)
    }
    for (let i = 0; i < size; i += 1) {
      const item = random(100)
      inside.push(item)
      heap.push(item)
      if (random(3) === 0) pop()
    }
    while (inside.length > 0) pop()
    pop()
    assert.equal(popped.length, size)
    assert.ok(comparisons <= 3 * size * Math.log2(size + 2), `${comparisons} for ${size}`)
  }
})
