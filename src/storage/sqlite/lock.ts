/** Keeps a second process off the database. The lock dies with the process, so nothing is left to clean up. */
import { existsSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { StoreError } from '#/base/store-error.ts'

export interface DatabaseLock {
  release(): void
  /** Releases it and leaves nothing behind, for a database that turned out not to be ours. */
  undo(): void
}

/** Locks the database at `path`. Throws `refused` when another process holds it. */
export function lockDatabase(path: string): DatabaseLock {
  const made = !existsSync(`${path}.lock`)
  const db = new DatabaseSync(`${path}.lock`, { timeout: 0 })
  try {
    db.exec('PRAGMA journal_mode = MEMORY')
    db.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    db.close()
    throw new StoreError('refused', `another process uses the database ${path}`, { cause: error })
  }
  return {
    release: () => db.close(),
    undo() {
      if (made) rmSync(`${path}.lock`, { force: true })
      db.close()
    },
  }
}
