import assert from 'node:assert/strict'
import { test } from 'node:test'
import { POSTGRES_WRITERS_DEFAULT } from '#/storage/limits.ts'
import { readersOf } from './database.ts'

test('cp_max bounds all connections: those that write, the one that holds the lock, and the rest for reads', () => {
  const readers = (args: Record<string, unknown>) => readersOf({ engine: 'postgres', args })
  assert.equal(readers({ cp_max: 10 }), 10 - POSTGRES_WRITERS_DEFAULT - 1)
  assert.equal(readers({ cp_max: 1 }), 1)
  assert.equal(readers({}), undefined)
  assert.equal(readersOf({ engine: 'sqlite', path: 'x', args: {} }), undefined)
})
