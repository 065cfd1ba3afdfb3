import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MIGRATIONS } from './index.ts'

test('the steps stand in the order of their numbers, so that none is taken twice', () => {
  const numbers = MIGRATIONS.map((step) => step.number)
  assert.deepEqual(
    numbers,
    [...new Set(numbers)].sort((a, b) => a - b),
  )
})
