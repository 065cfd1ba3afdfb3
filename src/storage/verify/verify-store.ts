/** All checks over one connection, in one reading of the database. */
import { metaText, SCHEMA_NUMBER } from '../migrations/index.ts'
import type { EngineName } from '../sql/dialect.ts'
import { first, run, type Sql } from '../sql/sql.ts'
import { verifyAccounts, verifyOwners } from './accounts.ts'
import { verifyCounts } from './counts.ts'
import { verifyDirectory } from './directory.ts'
import { verifyE2ee } from './e2ee.ts'
import { verifyEvents, verifyOriginals, verifyTxns } from './events.ts'
import { verifyKeys } from './keys.ts'
import { INTEGRITY_LINES_MAX } from './limits.ts'
import { verifyRelations } from './relations.ts'
import { type FindingListener, Findings, type VerifyReport } from './report.ts'
import { verifyMemberships, verifyRooms } from './rooms.ts'
import { verifySearch } from './search.ts'
import { verifyState } from './state.ts'

/**
 * Checks every invariant of a database that `inspectSchema` has recognised. The connection must see one state of it
 * from the first statement to the last. Does not throw for damage: what cannot be read is a finding too.
 */
export function* verifyStore(engine: EngineName, listener: FindingListener): Sql<VerifyReport> {
  const findings = new Findings(listener)
  const meta = { serverName: '', schema: 0, epoch: 0, position: 0 }
  yield* section(findings, 'myelin_meta', function* () {
    meta.serverName = (yield* metaText('server_name')) ?? ''
    meta.schema = Number((yield* metaText('schema')) ?? 0)
    meta.epoch = Number((yield* metaText('epoch')) ?? 0)
    meta.position = yield* positionOf(engine)
    checkMeta(findings, meta)
  })
  if (engine === 'sqlite') yield* section(findings, 'integrity_check', () => checkIntegrity(findings))
  yield* section(findings, 'events', () => verifyEvents(findings, engine))
  yield* section(findings, 'event_originals', () => verifyOriginals(findings))
  yield* section(findings, 'event_txns', () => verifyTxns(findings))
  yield* section(findings, 'event_relations', () => verifyRelations(findings))
  yield* section(findings, 'rooms', () => verifyRooms(findings, meta.serverName))
  yield* section(findings, 'local_memberships', () => verifyMemberships(findings, meta.serverName))
  yield* section(findings, 'published_rooms', () => verifyDirectory(findings))
  yield* section(findings, 'state', () => verifyState(findings))
  yield* section(findings, 'counts', () => verifyCounts(findings))
  yield* section(findings, 'search', () => verifySearch(findings))
  yield* section(findings, 'accounts', () => verifyAccounts(findings))
  yield* section(findings, 'keys', () => verifyKeys(findings))
  yield* section(findings, 'e2ee', () => verifyE2ee(findings))
  yield* section(findings, 'owners', () => verifyOwners(findings))
  yield* section(findings, 'positions', () => checkPositions(findings, meta.position))
  const { list, counts, checked } = findings
  return { ok: Object.keys(counts).length === 0, findings: list, counts, checked, ...meta }
}

/** Runs one part; a statement that fails ends the part with a finding, not the verification. */
function* section(findings: Findings, name: string, part: () => Sql<void>): Sql<void> {
  try {
    yield* part()
  } catch (error) {
    findings.add('database.unreadable', name, error instanceof Error ? error.message : String(error))
  }
}

const SEQUENCE = `SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS last FROM myelin_positions`

function* positionOf(engine: EngineName): Sql<number> {
  if (engine === 'sqlite') return Number((yield* metaText('position')) ?? Number.NaN)
  const row = yield* first(SEQUENCE)
  return Number(row?.last)
}

function checkMeta(findings: Findings, meta: { schema: number; epoch: number; position: number }): void {
  if (!Number.isSafeInteger(meta.epoch) || meta.epoch < 1) {
    findings.add('meta.epoch', 'epoch', `${meta.epoch} is not an epoch`)
  }
  if (!Number.isSafeInteger(meta.position) || meta.position < 0) {
    findings.add('meta.position', 'position', `${meta.position} is not a position`)
  }
  if (meta.schema !== SCHEMA_NUMBER) {
    findings.add('meta.schema', 'schema', `${meta.schema}; this release verifies schema ${SCHEMA_NUMBER}`)
  }
}

/** SQLite's own check of its file: pages, indexes against tables, types of the columns. */
function* checkIntegrity(findings: Findings): Sql<void> {
  const rows = yield* run(`PRAGMA integrity_check(${INTEGRITY_LINES_MAX})`)
  for (const row of rows) {
    const line = String(row.integrity_check)
    if (line !== 'ok') findings.add('database.integrity', 'integrity_check', line)
  }
}

/** Columns that hold numbers given out by the position counter. */
const POSITIONS = [
  ['rooms', 'nid'],
  ['events', 'nid'],
  ['events', 'arrival'],
  ['state_keys', 'nid'],
  ['state_branches', 'nid'],
  ['room_state', 'pos'],
  ['state_delta_tails', 'upto'],
  ['state_delta_chunks', 'upto'],
  ['local_memberships', 'pos'],
  ['account_data', 'pos'],
  ['receipts', 'pos'],
  ['push_profiles', 'since'],
  ['event_kinds', 'event'],
  ['push_actions', 'event'],
  ['relation_targets', 'nid'],
  ['thread_subscriptions', 'pos'],
  ['device_keys', 'nid'],
  ['one_time_keys', 'nid'],
  ['claimed_keys', 'nid'],
  ['device_list_changes', 'pos'],
  ['inboxes', 'nid'],
  ['inbox_contents', 'pos'],
  ['inbox_txns', 'pos'],
  ['backup_versions', 'nid'],
] as const

/** A number above the counter would be given out a second time. */
function* checkPositions(findings: Findings, position: number): Sql<void> {
  for (const [table, column] of POSITIONS) {
    const row = yield* first(`SELECT MAX(${column}) AS top FROM ${table}`)
    const top = (row?.top as number | null) ?? 0
    if (top > position) {
      findings.add('meta.position', `${table}.${column}`, `${top} is above the counter's ${position}`)
    }
  }
}
