/** Keeps a second process off the database. The lock dies with the process, so nothing is left to clean up. */
import { DatabaseSync } from 'node:sqlite'
import { StoreError } from '#/base/store-error.ts'

/** Locks the database at `path`; returns the release. Throws `refused` when another process holds it. */
export function lockDatabase(path: string): () => void {
  const db = new DatabaseSync(`${path}.lock`, { timeout: 0 })
  try {
    db.exec('PRAGMA journal_mode = MEMORY')
    db.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    db.close()
    throw new StoreError('refused', `another process uses the database ${path}`, { cause: error })
  }
  return () => db.close()
}
