import assert from 'node:assert/strict'
import { existsSync, globSync } from 'node:fs'
import { test } from 'node:test'
import { NAMED, orderOf } from './order.ts'

const FILES = globSync(['src/**/*.test.ts', 'tests/**/*.test.ts'], { exclude: ['**/node_modules/**'] })

test('every test file runs once, whatever order they were found in', () => {
  const { working, waiting, solo } = orderOf(FILES)
  const all = [...working, ...waiting, ...solo]
  assert.ok(all.every((batch) => batch.length > 0))
  assert.deepEqual(all.flat().toSorted(), FILES.toSorted())
  assert.deepEqual(orderOf(FILES.toReversed()), { working, waiting, solo })
})

test('what measures runs alone, and the files that the tables name are there', () => {
  const { solo } = orderOf(FILES)
  assert.deepEqual(solo.flat(), FILES.filter((file) => file.endsWith('.solo.test.ts')).toSorted())
  assert.deepEqual(
    NAMED.filter((file) => !existsSync(file)),
    [],
  )
  assert.equal(new Set(NAMED).size, NAMED.length)
})

test('a few files are run as they are', () => {
  assert.deepEqual(orderOf([]), { working: [], waiting: [], solo: [] })
  assert.deepEqual(orderOf(['tests/tidy.test.ts']).working, [['tests/tidy.test.ts']])
})
