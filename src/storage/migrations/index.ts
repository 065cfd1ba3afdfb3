/**
 * The schema over time. A database is opened only when it is ours: empty, or made by this program for the same server
 * name, and not newer than this release can read. Anything else is refused untouched.
 */
import { StoreError } from '#/base/store-error.ts'
import { type EngineName, schemaText } from '../sql/dialect.ts'
import { first, run, type Sql } from '../sql/sql.ts'
import { first as migration1 } from './0001-first.ts'
import { receipts as migration2 } from './0002-receipts.ts'
import { counts as migration3 } from './0003-counts.ts'
import { relations as migration4 } from './0004-relations.ts'
import { directory as migration5 } from './0005-directory.ts'
import { reads as migration6 } from './0006-reads.ts'
import { people as migration7 } from './0007-people.ts'
import { search as migration8 } from './0008-search.ts'
import { roomFacts as migration9 } from './0009-room-facts.ts'
import { usage as migration10 } from './0010-usage.ts'
import { keys as migration11 } from './0011-keys.ts'
import { backup as migration12 } from './0012-backup.ts'
import { opened as migration13 } from './0013-opened.ts'
import { claimedKeys as migration30 } from './0030-claimed-keys.ts'

export interface Migration {
  readonly number: number
  /** The oldest schema number whose release can still open a database after this step. */
  readonly compat: number
  readonly statements: readonly string[]
}

/** All steps in order. Numbers are never reused, steps never edited after a release. */
export const MIGRATIONS: readonly Migration[] = [
  migration1,
  migration2,
  migration3,
  migration4,
  migration5,
  migration6,
  migration7,
  migration8,
  migration9,
  migration10,
  migration11,
  migration12,
  migration13,
  migration30,
]

/** The schema number of this release. */
export const SCHEMA_NUMBER = MIGRATIONS.at(-1)!.number

export interface OpenedSchema {
  readonly epoch: number
  readonly position: number
}

const TABLES: Record<EngineName, string> = {
  sqlite: `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'`,
  postgres: 'SELECT CAST(tablename AS TEXT) AS name FROM pg_tables WHERE schemaname = current_schema()',
}

/** Tables by which Synapse's databases are known. */
const SYNAPSE_TABLES = ['schema_version', 'applied_schema_deltas', 'state_groups_state']

/** Checks that the database is ours and gives what was kept of it; undefined for an empty database. Writes nothing. */
export function* inspectSchema(engine: EngineName, serverName: string): Sql<number | undefined> {
  const tables = new Set((yield* run(TABLES[engine])).map((row) => row.name as string))
  if (tables.size === 0) return undefined
  if (!tables.has('myelin_meta')) {
    const synapse = SYNAPSE_TABLES.some((name) => tables.has(name))
    throw new StoreError(
      'refused',
      synapse
        ? 'this is a Synapse database. It was not touched. Myelin keeps its own database: give it another path or database name; importing from Synapse is a separate step'
        : 'this database holds tables of another program. It was not touched. Give Myelin a database of its own',
    )
  }
  const owner = yield* metaText('server_name')
  if (owner !== undefined && owner !== serverName) {
    throw new StoreError(
      'refused',
      `this database belongs to the server ${owner}, but the configuration says ${serverName}. A server's name can never change; use the database of ${serverName} or an empty one`,
    )
  }
  const schema = Number((yield* metaText('schema')) ?? 0)
  const compat = Number((yield* metaText('compat')) ?? 0)
  if (compat > SCHEMA_NUMBER) {
    throw new StoreError(
      'refused',
      `this database was written by a newer release (schema ${schema}, readable from ${compat} on); this release knows schema ${SCHEMA_NUMBER}. Use the newer release`,
    )
  }
  return schema
}

/** Brings an inspected database to this release's schema, one transaction per step, so that a crash resumes there. */
export function* migrate(engine: EngineName, serverName: string, from: number | undefined): Sql<void> {
  if (from === undefined) {
    yield* run('BEGIN')
    yield* run(
      schemaText(
        engine,
        'CREATE TABLE myelin_meta (name {text} NOT NULL PRIMARY KEY, value {text} NOT NULL) {strict}',
      ),
    )
    if (engine === 'postgres') yield* run('CREATE SEQUENCE myelin_positions')
    yield* putMeta('server_name', serverName)
    yield* putMeta('epoch', '1')
    yield* putMeta('position', '0')
    yield* run('COMMIT')
  }
  for (const step of MIGRATIONS) {
    if (step.number <= (from ?? 0)) continue
    yield* run('BEGIN')
    for (const text of step.statements) yield* run(schemaText(engine, text))
    yield* putMeta('schema', String(step.number))
    yield* putMeta('compat', String(step.compat))
    yield* run('COMMIT')
  }
}

/** What a server needs to know of its database before the first read. */
export function* readMeta(): Sql<OpenedSchema> {
  return {
    epoch: Number(yield* metaText('epoch')),
    position: Number((yield* metaText('position')) ?? 0),
  }
}

/** A remark of the database about itself; undefined when it was never made. */
export function* metaText(name: string): Sql<string | undefined> {
  const row = yield* first('SELECT value FROM myelin_meta WHERE name = ?1', name)
  return row?.value as string | undefined
}

/** Makes a remark of the database about itself, or changes it. */
export function* putMeta(name: string, value: string): Sql<void> {
  yield* run(
    `INSERT INTO myelin_meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
    name,
    value,
  )
}
