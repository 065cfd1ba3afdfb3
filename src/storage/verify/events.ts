/** Every event row: its checksum, its id, its columns against its JSON, and what it points to. */
import { EVENT_FLAGS, HIDDEN_FLAGS } from '#/protocol/event/flags.ts'
import { hasValidContentHash } from '#/protocol/event/hash.ts'
import { parsePdu } from '#/protocol/event/parse.ts'
import type { Pdu } from '#/protocol/event/pdu.ts'
import { redact } from '#/protocol/event/redact.ts'
import { canonicalJson } from '#/protocol/json/canonical.ts'
import { decodeUtf8, readJson } from '#/protocol/json/reader.ts'
import { isObject } from '#/protocol/json/value.ts'
import { rulesOf } from '#/protocol/room-version/rules.ts'
import { checksummedFrom } from '../ops/events.ts'
import { type ChecksummedEvent, eventChecksum } from '../sql/checksum.ts'
import type { EngineName } from '../sql/dialect.ts'
import { placeholders, type Row, run, type Sql } from '../sql/sql.ts'
import { unpackUints } from '../sql/varint.ts'
import { walk } from './pages.ts'
import type { Findings } from './report.ts'
import { STAYING } from './staying.ts'

const TEXTS = ['event_id', 'type', 'sender', 'state_key', 'rejected_rule', 'json'] as const
const NUMBERS = `e.nid, e.room, e.arrival, e.depth, e.flags, e.ts, e.redacted_by, e.state_branch, e.state_pos,
  e.checksum, e.auth`

/* SQLite's texts are read as bytes: a text that is not UTF-8 would be altered on the way and the damage hidden. */
function textColumns(engine: EngineName): string {
  return TEXTS.map((name) => (engine === 'sqlite' ? `CAST(e.${name} AS BLOB) AS ${name}` : `e.${name}`)).join(
    ', ',
  )
}

/** An event whose row could be read as what it should be. */
interface Checked {
  readonly row: ChecksummedEvent
  /** Undefined where the JSON is not an event of its room's version. */
  readonly pdu: Pdu | undefined
  readonly auth: readonly number[]
}

/** Checks all rows of `events`. */
export function* verifyEvents(findings: Findings, engine: EngineName): Sql<void> {
  const text = `SELECT ${NUMBERS}, ${textColumns(engine)}, r.room_id AS of_room, r.version AS of_version
    FROM events e LEFT JOIN rooms r ON r.nid = e.room WHERE ${STAYING} {after}`
  yield* walk(findings, { table: 'events', text, key: [['e.nid', 'nid']] }, function* (rows) {
    const events: Checked[] = []
    for (const row of rows) {
      const checked = checkRow(findings, row)
      if (checked) events.push(checked)
    }
    yield* checkReferences(findings, events)
  })
}

function checkRow(findings: Findings, raw: Row): Checked | undefined {
  const nid = raw.nid as number
  const row = decodeTexts(raw)
  if (typeof row === 'string') {
    findings.add('event.text', nid, `${row} is not valid UTF-8`)
    return undefined
  }
  const event = checksummedFrom(row)
  if (eventChecksum(event) !== row.checksum) {
    findings.add('event.checksum', nid, `${event.eventId}: a column is not what was written`)
  }
  checkFlags(findings, event)
  if (row.of_room === null) findings.add('event.room', nid, `${event.eventId} belongs to no room`)
  const pdu = row.of_room === null ? undefined : checkJson(findings, event, row)
  let auth: number[] = []
  try {
    auth = unpackUints(event.auth)
  } catch (error) {
    findings.add('event.auth', nid, `the list of auth events: ${(error as Error).message}`)
  }
  return { row: event, pdu, auth }
}

/** The row with texts in place of bytes, or the name of a column that is no text. */
function decodeTexts(raw: Row): Row | string {
  const row = { ...raw }
  for (const name of TEXTS) {
    const value = raw[name]
    if (!(value instanceof Uint8Array)) continue
    const text = decodeUtf8(value)
    if (text === undefined) return name
    row[name] = text
  }
  return row
}

function checkFlags(findings: Findings, event: ChecksummedEvent): void {
  const { nid, flags, arrival } = event
  const known = Object.values(EVENT_FLAGS).reduce((all, flag) => all | flag, 0)
  if ((flags & ~known) !== 0) findings.add('event.flags', nid, `unknown flags ${flags}`)
  if (((flags & EVENT_FLAGS.rejected) !== 0) !== (event.rejectedRule !== null)) {
    findings.add('event.flags', nid, 'rejected without a rule, or a rule without the flag')
  }
  if (arrival !== null && (flags & HIDDEN_FLAGS) !== 0) {
    findings.add('event.arrival', nid, 'an event that is not shown has a place in the timeline')
  }
  if (arrival !== null && arrival >= 0 && arrival < nid) {
    findings.add('event.arrival', nid, `arrived at ${arrival}, before it was written`)
  }
  if ((event.stateBranch === null) !== (event.statePos === null)) {
    findings.add('event.state_point', nid, 'half a state point')
  }
}

function checkJson(findings: Findings, event: ChecksummedEvent, row: Row): Pdu | undefined {
  const { nid } = event
  const rules = rulesOf(row.of_version as string)
  /* The room's own check reports an unknown version, once. */
  if (!rules) return undefined
  const read = readJson(event.json, 'lenient')
  if (!read.ok || !isObject(read.value)) {
    findings.add('event.json', nid, read.ok ? 'not an object' : `${read.rule}: ${read.why}`)
    return undefined
  }
  const parsed = parsePdu(rules, read.value)
  if (!parsed.ok) {
    findings.add('event.json', nid, `${parsed.rule}: ${parsed.why}`)
    return undefined
  }
  const pdu = parsed.value
  if (pdu.eventId !== event.eventId)
    findings.add('event.id', nid, `${event.eventId}, but its JSON is ${pdu.eventId}`)
  const differs = differingColumn(event, pdu)
  if (differs) findings.add('event.columns', nid, `${differs} differs from the JSON`)
  if (pdu.roomId !== row.of_room) findings.add('event.room', nid, `its JSON is of the room ${pdu.roomId}`)
  checkContent(findings, event, pdu)
  return pdu
}

/* An event that came with a wrong content hash is stored in its redacted form, so each row is one or the other. */
function checkContent(findings: Findings, event: ChecksummedEvent, pdu: Pdu): void {
  if (event.redactedBy === null && hasValidContentHash(pdu.json)) return
  if (canonicalJson(redact(pdu.rules, pdu.json)) === canonicalJson(pdu.json)) return
  const kind = event.redactedBy === null ? 'event.content_hash' : 'event.redacted_form'
  findings.add(kind, event.nid, 'its JSON is neither what was hashed nor the redacted form')
}

function differingColumn(event: ChecksummedEvent, pdu: Pdu): string | undefined {
  if (event.type !== pdu.type) return 'type'
  if (event.sender !== pdu.sender) return 'sender'
  if (event.stateKey !== (pdu.stateKey ?? null)) return 'state_key'
  if (event.ts !== pdu.originServerTs) return 'ts'
  if (event.depth !== pdu.depth) return 'depth'
  return undefined
}

/** Auth events, redactions and state branches that a page of events names. */
function* checkReferences(findings: Findings, events: readonly Checked[]): Sql<void> {
  const nids = new Set<number>()
  const branches = new Set<number>()
  for (const { row, auth } of events) {
    for (const nid of auth) nids.add(nid)
    if (row.redactedBy !== null) nids.add(row.redactedBy)
    if (row.stateBranch) branches.add(row.stateBranch)
  }
  const named = yield* byNid('SELECT nid, event_id, room FROM events', nids)
  const points = yield* byNid('SELECT nid, room FROM state_branches', branches)
  for (const { row, pdu, auth } of events) {
    const missing = auth.find((nid) => !named.has(nid))
    const ids = auth.map((nid) => named.get(nid)?.event_id)
    if (missing !== undefined) findings.add('event.auth', row.nid, `auth event ${missing} does not exist`)
    else if (pdu && ids.join() !== pdu.authEvents.join()) {
      findings.add('event.auth', row.nid, 'the list of auth events differs from the JSON')
    }
    if (row.redactedBy !== null && named.get(row.redactedBy)?.room !== row.room) {
      findings.add('event.redacted_by', row.nid, `no event ${row.redactedBy} in its room`)
    }
    if (row.stateBranch && points.get(row.stateBranch)?.room !== row.room) {
      findings.add('event.state_point', row.nid, `no state branch ${row.stateBranch} in its room`)
    }
  }
}

/** Named rows in one statement: a page names at most some thousands. */
const NAMED_ROWS = 1000

/** Rows by their `nid`. */
export function* byNid(select: string, nids: ReadonlySet<number>): Sql<Map<number, Row>> {
  const found = new Map<number, Row>()
  const list = [...nids]
  for (let i = 0; i < list.length; i += NAMED_ROWS) {
    const some = list.slice(i, i + NAMED_ROWS)
    const rows = yield* run(`${select} WHERE nid IN (${placeholders(1, some.length)})`, ...some)
    for (const row of rows) found.set(row.nid as number, row)
  }
  return found
}

/** The unredacted forms that are kept for a time: each is the same event as the redacted row. */
export function* verifyOriginals(findings: Findings): Sql<void> {
  const text = `SELECT o.event, o.json, e.event_id, e.redacted_by, r.version FROM event_originals o
    LEFT JOIN events e ON e.nid = o.event LEFT JOIN rooms r ON r.nid = e.room WHERE 1 = 1 {after}`
  yield* walk(findings, { table: 'event_originals', text, key: [['o.event', 'event']] }, (rows) => {
    for (const row of rows) {
      const nid = row.event as number
      if (row.event_id === null || row.redacted_by === null) {
        findings.add('original.event', nid, 'kept for an event that is not there or not redacted')
        continue
      }
      const rules = rulesOf((row.version as string | null) ?? '')
      const read = readJson(row.json as string, 'lenient')
      const parsed = rules && read.ok && isObject(read.value) ? parsePdu(rules, read.value) : undefined
      if (rules && (!parsed?.ok || parsed.value.eventId !== row.event_id)) {
        findings.add('original.id', nid, `the original of ${row.event_id} is another event`)
      }
    }
    return undefined
  })
}

/** Transaction ids point to events. */
export function* verifyTxns(findings: Findings): Sql<void> {
  const text = `SELECT t.event, t.txn_id, e.nid FROM event_txns t LEFT JOIN events e ON e.nid = t.event
    WHERE 1 = 1 {after}`
  yield* walk(findings, { table: 'event_txns', text, key: [['t.event', 'event']] }, (rows) => {
    for (const row of rows) {
      if (row.nid === null)
        findings.add('txn.event', row.event as number, `transaction ${row.txn_id} of no event`)
    }
    return undefined
  })
}
