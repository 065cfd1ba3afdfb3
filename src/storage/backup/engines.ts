/** The part of backup and restore that differs by engine: the database itself. */
import { chmod, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { backup as copyPages } from 'node:sqlite'
import type { Log } from '#/base/log.ts'
import { StoreError } from '#/base/store-error.ts'
import { Session, type Target } from '../postgres/session.ts'
import { type EngineName, postgresText } from '../sql/dialect.ts'
import { runAsync } from '../sql/sql.ts'
import { Connection } from '../sqlite/connection.ts'
import type { DatabaseLocation } from '../verify/location.ts'
import { recognise } from '../verify/recognise.ts'
import type { VerifyReport } from '../verify/report.ts'
import { runVerify } from '../verify/run-verify.ts'
import { verifyStore } from '../verify/verify-store.ts'
import { copyDurably, isAbsent, PRIVATE_FILE, syncFile } from './files.ts'
import { BACKUP_PAGES_PER_STEP, RESTORE_POSITIONS_AHEAD } from './limits.ts'
import { type NewEpoch, nextEpoch, startEpoch } from './new-epoch.ts'
import { runPiped, runProgram, withConnection } from './programs.ts'

/** Name of the database inside a backup. */
export const DATABASE_FILES: Record<EngineName, string> = {
  sqlite: 'database.sqlite3',
  postgres: 'database.pgdump',
}

/** Copies a database, which may be in use, to a file, and verifies what was copied. */
export function saveDatabase(database: DatabaseLocation, to: string, log: Log): Promise<VerifyReport> {
  return database.engine === 'sqlite'
    ? saveSqlite(database.path, to, log)
    : savePostgres(database.target, to, log)
}

async function saveSqlite(path: string, to: string, log: Log): Promise<VerifyReport> {
  try {
    await stat(path)
  } catch (error) {
    if (isAbsent(error)) throw new StoreError('refused', `there is no database ${path}`)
    throw error
  }
  const source = new Connection({ path, readOnly: true })
  try {
    source.run(recognise('sqlite'))
    await copyPages(source.db, to, { rate: BACKUP_PAGES_PER_STEP })
  } finally {
    source.close()
  }
  /* One file, without a log beside it that might be forgotten. */
  const copy = new Connection({ path: to })
  copy.db.exec('PRAGMA journal_mode = DELETE')
  copy.close()
  await chmod(to, PRIVATE_FILE)
  await syncFile(to)
  return await runVerify({ database: { engine: 'sqlite', path: to }, log })
}

/* The dump and the verification read the same snapshot, so what was verified is what was dumped. */
async function savePostgres(target: Target, to: string, log: Log): Promise<VerifyReport> {
  const session = await Session.connect(target, () => {})
  try {
    await runAsync(recognise('postgres'), session.ask)
    await session.command('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
    const [row] = await session.command('SELECT pg_export_snapshot() AS name')
    await withConnection(target, (dbname) =>
      runProgram('pg_dump', [
        '--format=custom',
        '--no-owner',
        '--no-privileges',
        `--snapshot=${String(row?.name)}`,
        `--file=${to}`,
        `--dbname=${dbname}`,
      ]),
    )
    /* Reads every byte of the dump back. */
    await runProgram('pg_restore', ['--file=/dev/null', to])
    await chmod(to, PRIVATE_FILE)
    await syncFile(to)
    return await runAsync(
      verifyStore('postgres', (finding) => log.error('Verification found damage', { ...finding })),
      session.ask,
    )
  } finally {
    await session.end()
  }
}

/** Throws a StoreError `refused` when there is something where the database shall be restored. */
export async function refuseOccupied(database: DatabaseLocation): Promise<void> {
  if (database.engine === 'sqlite') {
    for (const path of [database.path, `${database.path}-wal`]) {
      const size = await stat(path).then(
        (found) => found.size,
        (error: unknown) => {
          if (isAbsent(error)) return 0
          throw error
        },
      )
      if (size > 0) throw new StoreError('refused', `${path} exists. It was not touched. Move it away first`)
    }
    return
  }
  const session = await Session.connect(database.target, () => {})
  try {
    const [row] = await session.command(
      `SELECT COUNT(*) AS n FROM information_schema.tables
       WHERE table_schema NOT IN ('pg_catalog', 'information_schema')`,
    )
    if (row?.n !== 0) {
      throw new StoreError(
        'refused',
        'the PostgreSQL database is not empty. It was not touched. Give an empty one',
      )
    }
  } finally {
    await session.end()
  }
}

/** Puts a saved database in place and starts a new epoch in it; a crash leaves it absent or whole. */
export function loadDatabase(from: string, database: DatabaseLocation, before: NewEpoch): Promise<NewEpoch> {
  return database.engine === 'sqlite'
    ? loadSqlite(from, database.path)
    : loadPostgres(from, database.target, before)
}

async function loadSqlite(from: string, path: string): Promise<NewEpoch> {
  const unfinished = `${path}.restoring`
  await rm(unfinished, { force: true })
  await copyDurably(from, unfinished)
  const connection = new Connection({ path: unfinished })
  let next: NewEpoch
  try {
    connection.db.exec('PRAGMA synchronous = FULL')
    connection.db.exec('BEGIN IMMEDIATE')
    next = connection.run(startEpoch())
    connection.db.exec('COMMIT')
  } finally {
    connection.close()
  }
  await syncFile(unfinished)
  await rename(unfinished, path)
  await syncFile(dirname(path))
  return next
}

/**
 * Behind the dump's own text and in its transaction, which a dump cut short never ends. The search path is empty. The
 * sequence stands outside of snapshots, so that either the dump or the manifest may have seen it further on.
 */
function epochText(next: NewEpoch): string {
  return `
SELECT set_config('search_path', (SELECT schemaname FROM pg_tables WHERE tablename = 'myelin_meta'), false);
UPDATE myelin_meta SET value = '${next.epoch}' WHERE name = 'epoch';
SELECT setval('myelin_positions',
  GREATEST((SELECT last_value FROM myelin_positions) + ${RESTORE_POSITIONS_AHEAD}, ${next.position}));
UPDATE myelin_meta SET value = (SELECT CAST(last_value AS TEXT) FROM myelin_positions) WHERE name = 'position';
COMMIT;
`
}

async function loadPostgres(from: string, target: Target, before: NewEpoch): Promise<NewEpoch> {
  const next = nextEpoch(before)
  await withConnection(target, (dbname) =>
    runPiped(
      ['pg_restore', ['--no-owner', '--no-privileges', '--file=-', from]],
      ['psql', ['--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', '--file=-', `--dbname=${dbname}`]],
      { first: 'BEGIN;\n', last: epochText(next) },
    ),
  )
  const session = await Session.connect(target, () => {})
  try {
    const [row] = await session.command(postgresText('SELECT last_value AS position FROM myelin_positions'))
    return { epoch: next.epoch, position: row?.position as number }
  } finally {
    await session.end()
  }
}

/** Path of the database inside a backup folder. */
export function savedDatabase(folder: string, engine: EngineName): string {
  return join(folder, DATABASE_FILES[engine])
}
