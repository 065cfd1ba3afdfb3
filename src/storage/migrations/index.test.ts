import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Connection } from '../sqlite/connection.ts'
import { inspectSchema, MIGRATIONS, migrate } from './index.ts'

/** Statements between one interruption and the next. */
const STRIDE = 5

test('the steps stand in the order of their numbers, so that none is taken twice', () => {
  const numbers = MIGRATIONS.map((step) => step.number)
  assert.deepEqual(
    numbers,
    [...new Set(numbers)].sort((a, b) => a - b),
  )
})

/** Opens a database as a server does, and runs its migration to its end or up to a statement. */
function start(path: string, statements = Number.POSITIVE_INFINITY): { done: boolean; schema: object } {
  const connection = new Connection({ path })
  connection.db.exec('PRAGMA synchronous = OFF')
  try {
    const migration = migrate('sqlite', 'x', connection.run(inspectSchema('sqlite', 'x')))
    let step = migration.next()
    for (let i = 0; !step.done && i < statements; i++) step = migration.next(connection.execute(step.value))
    const schema = step.done
      ? [
          connection.db.prepare('SELECT type, name, sql FROM sqlite_master ORDER BY type, name').all(),
          connection.db.prepare('SELECT name, value FROM myelin_meta ORDER BY name').all(),
        ]
      : []
    return { done: step.done ?? false, schema }
  } finally {
    connection.close()
  }
}

test('D7 a migration that is interrupted goes on at the next start, wherever it stopped', () => {
  const folder = mkdtempSync(join(tmpdir(), 'myelin-migrations-'))
  try {
    const whole = start(join(folder, 'whole.db'))
    assert.ok(whole.done)
    for (let statements = 1; ; statements += STRIDE) {
      const path = join(folder, `${statements}.db`)
      if (start(path, statements).done) break
      start(path, STRIDE)
      assert.deepEqual(start(path), whole, `interrupted after ${statements} statements`)
      assert.deepEqual(start(path), whole, 'a database that is complete stays as it is')
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})
