/** Keeps a second process off the database. The lock dies with the process, so nothing is left to clean up. */
import { accessSync, constants, existsSync, rmSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StoreError } from '#/base/store-error.ts'
import { sentenceOf } from '#/base/system-error.ts'

export interface DatabaseLock {
  release(): void
  /** Releases it and leaves nothing behind, for a database that turned out not to be ours. */
  undo(): void
}

/** https://www.sqlite.org/rescode.html#busy */
const SQLITE_BUSY = 5

function openLock(path: string): DatabaseSync {
  try {
    return new DatabaseSync(`${path}.lock`, { timeout: 0 })
  } catch (error) {
    throw cannotWrite(path, error)
  }
}

/** SQLite itself says neither which file it could not open nor why; asking the system for its folder tells. */
function cannotWrite(path: string, error: unknown): StoreError {
  const folder = dirname(resolve(path))
  let why = (error as Error).message
  try {
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (refusal) {
    why = sentenceOf(refusal)
  }
  return new StoreError('refused', `the database ${path} cannot be opened for writing: ${why}`, {
    cause: error,
  })
}

/** Locks the database at `path`. Throws `refused` when another process holds it, or its folder cannot be written. */
export function lockDatabase(path: string): DatabaseLock {
  const made = !existsSync(`${path}.lock`)
  const db = openLock(path)
  try {
    db.exec('PRAGMA journal_mode = MEMORY')
    db.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    db.close()
    if ((error as { errcode?: unknown }).errcode === SQLITE_BUSY)
      throw new StoreError('refused', `another process uses the database ${path}`, { cause: error })
    throw cannotWrite(path, error)
  }
  return {
    release: () => db.close(),
    undo() {
      if (made) rmSync(`${path}.lock`, { force: true })
      db.close()
    },
  }
}
