/** The Nth storage operation fails, N = 1, 2, … until none is left: a plan is then wholly there or wholly absent. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, it } from 'node:test'
import { serialize } from 'node:v8'
import { realWorld } from '#/base/world.ts'
import type { Plan } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import type { Faults } from '#/storage/faults.ts'
import { openSqliteInline } from '#/storage/sqlite/store.ts'
import { DiskFault } from '#/storage/sqlite/writer-core.ts'
import { verifySqlite } from '#/storage/verify/verify-sqlite.ts'
import { tempFolder } from '../support/filled-database.ts'
import { SCRIPT_SERVER } from '../support/room-script.ts'
import { type Base, makeBase, OPERATIONS, planOf } from './plans.ts'

/** SQLite's result codes: the disk failed, the disk is full, and an error that concerns the statement alone. */
const ERRORS: Record<string, () => Error> = {
  'I/O error': () => new DiskFault(10),
  ...(process.env['MYELIN_TEST_FULL'] ? { full: () => new DiskFault(13) } : {}),
  'error of a statement': () => new Error('injected'),
}
/** More operations than any plan has. */
const OPERATIONS_MAX = 2000

let folder: string
let path: string
let base: Base
before(async () => {
  /* No disk is needed where all its faults are made up, and one in memory is quicker. */
  folder = tempFolder('faults', existsSync('/dev/shm') ? '/dev/shm' : undefined)
  path = join(folder, 'base.db')
  base = await makeBase(path)
})
after(() => rmSync(folder, { recursive: true }))

interface Attempt {
  readonly acknowledged: boolean
  /** Whether the fault came. */
  readonly struck: boolean
  readonly digest: string
}

/** Commits a plan to a fresh copy of the base, with a fault at the Nth operation. */
async function attempt(plan: Plan, strikeAt: number, error: () => Error): Promise<Attempt> {
  const work = join(folder, 'work.db')
  for (const end of ['', '-wal', '-shm']) rmSync(work + end, { force: true })
  copyFileSync(path, work)
  let operations = 0
  let armed = true
  const faults: Faults = () => {
    if (armed && ++operations === strikeAt) throw error()
  }
  let acknowledged = false
  {
    const options = { path: work, serverName: SCRIPT_SERVER, world: realWorld, pauseMsMax: 0, faults }
    await using store: Store = openSqliteInline(options)
    try {
      acknowledged = (await store.commit(plan)).ok
      assert.equal(acknowledged, true)
    } catch (failure) {
      if (operations < strikeAt) throw failure
    }
    armed = false
    /* The engine goes on after a failure, whatever it was. */
    const next = await store.commit({
      lane: '',
      ops: [{ op: 'job.put', kind: 'next', key: 'k', dueTs: 1, data: '{}' }],
    })
    assert.equal(next.ok, true)
    assert.deepEqual(store.health(), { writable: true })
  }
  return { acknowledged, struck: operations >= strikeAt, digest: soundDigest(work, strikeAt) }
}

/** Digests of the rows by digest of the file: faults that leave the same bytes leave the same rows. */
const soundFiles = new Map<string, string>()
/** Rows of which verify has found nothing to say, with the counter of positions. */
const soundRows = new Set<string>()

/** The digest of a closed database whose pages are whole and in which verify finds nothing. */
function soundDigest(work: string, strikeAt: number): string {
  assert.ok(!existsSync(`${work}-wal`), 'all of it is in one file')
  const bytes = createHash('sha256').update(readFileSync(work)).digest('hex')
  const known = soundFiles.get(bytes)
  if (known !== undefined) return known
  const { digest, position } = readAll(work)
  /* The same rows have the same findings: what was found sound once is not read again. */
  if (!soundRows.has(`${digest} ${position}`)) {
    assert.deepEqual(verifySqlite(work, () => {}).findings, [], `after operation ${strikeAt}`)
    soundRows.add(`${digest} ${position}`)
  }
  soundFiles.set(bytes, digest)
  return digest
}

/**
 * A digest of everything in the database but the counter of positions, of which a failed plan may use up some; and that
 * counter. Asserts that pages are whole and indexes agree with their tables.
 */
function readAll(file: string): { digest: string; position: string } {
  const db = new DatabaseSync(file, { readOnly: true })
  const hash = createHash('sha256')
  let position = ''
  assert.deepEqual({ ...db.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' })
  const tables = db.prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`).all()
  for (const { name } of tables) {
    const statement = db.prepare(`SELECT * FROM ${name}`)
    statement.setReturnArrays(true)
    const rows = statement.all() as unknown as unknown[][]
    const counter = rows.findIndex(([key]) => name === 'myelin_meta' && key === 'position')
    if (counter >= 0) position = String(rows.splice(counter, 1)[0]?.[1])
    hash.update(`${name}\n`).update(serialize(rows))
  }
  db.close()
  return { digest: hash.digest('hex'), position }
}

describe('a fault at the Nth storage operation leaves the plan wholly there or wholly absent', () => {
  for (const name of OPERATIONS) {
    it(name, async (t) => {
      const plan = planOf(base, name)
      const absent = (await attempt({ lane: '', ops: [] }, OPERATIONS_MAX, () => new Error())).digest
      const there = (await attempt(plan, OPERATIONS_MAX, () => new Error())).digest
      assert.notEqual(there, absent)
      let struck = 0
      for (const [kind, error] of Object.entries(ERRORS)) {
        for (let n = 1; ; n++) {
          const { acknowledged, struck: hit, digest } = await attempt(plan, n, error)
          if (acknowledged) assert.equal(digest, there, `${kind} at ${n}: acknowledged, but not there`)
          else assert.ok(digest === there || digest === absent, `${kind} at ${n}: half of it is there`)
          if (!hit) break
          struck++
        }
      }
      t.diagnostic(`${struck} faults`)
      assert.ok(struck >= 6, `only ${struck} faults`)
    })
  }
})
