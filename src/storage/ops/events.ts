/** Writing events, redactions and transaction ids. */
import { hash } from 'node:crypto'
import { StoreError } from '#/base/store-error.ts'
import type { EventOp } from '#/ports/store/events.ts'
import type { Plan } from '#/ports/store/plan.ts'
import { HIDDEN_FLAGS } from '#/protocol/event/flags.ts'
import { type ChecksummedEvent, eventChecksum } from '../sql/checksum.ts'
import { first, lists, placeholders, type Row, run, type Sql } from '../sql/sql.ts'
import { packUints } from '../sql/varint.ts'
import { GuardFailed, type Known, type PlanContext } from './context.ts'
import { followState } from './directory.ts'
import { uncount } from './push.ts'
import { dropRelation } from './relations.ts'
import { redactRoomFacts } from './room-facts.ts'
import { indexEvent, unindexEvent } from './search.ts'

type Insert = Extract<EventOp, { op: 'event.insert' }>

const INSERT = `INSERT INTO events
  (nid, room, arrival, depth, flags, ts, checksum, auth, event_id, type, sender, state_key, rejected_rule, json)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)`

/** Inserts an event; its row id is the result. */
export function* insertEvent(ctx: PlanContext, op: Insert): Sql<number> {
  const room = ctx.room(op.room)
  const auth = packUints(yield* authNids(ctx, op.authEvents))
  const nid = ctx.next()
  const shown = op.live && (op.flags & HIDDEN_FLAGS) === 0
  const arrival = shown ? nid : null
  const checksum = eventChecksum({
    ...op,
    nid,
    room,
    arrival,
    auth,
    redactedBy: null,
    stateBranch: null,
    statePos: null,
  })
  const { depth, flags, ts, eventId, type, sender, stateKey, rejectedRule, json } = op
  ctx.tell(
    INSERT,
    nid,
    room,
    arrival,
    depth,
    flags,
    ts,
    checksum,
    auth,
    eventId,
    type,
    sender,
    stateKey,
    rejectedRule,
    json,
  )
  /* Only state is named as an auth event. */
  if (stateKey !== null) ctx.interned.set(eventId, nid)
  ctx.setSlot(op.slot, nid)
  ctx.eventPosition = nid
  if (shown && !op.quiet) ctx.changes.push({ stream: 'events', position: nid, room })
  if (shown) yield* indexEvent(ctx, room, nid, op)
  return nid
}

function* authNids(ctx: PlanContext, ids: readonly string[]): Sql<number[]> {
  const known: number[] = []
  for (const id of ids) {
    const nid = ctx.interned.get(id)
    if (nid === undefined) return yield* findNids(ctx, ids)
    known.push(nid)
  }
  return known
}

function* findNids(ctx: PlanContext, ids: readonly string[]): Sql<number[]> {
  const missing = ids.filter((id) => !ctx.interned.has(id))
  if (missing.length > 0) {
    const rows = yield* run(
      `SELECT event_id, nid FROM events WHERE event_id IN (${placeholders(1, missing.length)})`,
      ...missing,
    )
    for (const row of rows) ctx.interned.set(row.event_id as string, row.nid as number)
  }
  return ids.map((id) => {
    const nid = ctx.interned.get(id)
    if (nid === undefined) throw new StoreError('invalid', `auth event ${id} is not stored`)
    return nid
  })
}

/** Columns of ChecksummedEvent, for rows that are read to be changed or verified. */
export const CHECKSUM_COLUMNS = `nid, room, arrival, depth, flags, ts, redacted_by, state_branch, state_pos, auth,
  event_id, type, sender, state_key, rejected_rule, json, checksum`

export function checksummedFrom(row: Row): ChecksummedEvent {
  return {
    nid: row.nid as number,
    room: row.room as number,
    arrival: row.arrival as number | null,
    depth: row.depth as number,
    flags: row.flags as number,
    ts: row.ts as number,
    redactedBy: row.redacted_by as number | null,
    stateBranch: row.state_branch as number | null,
    statePos: row.state_pos as number | null,
    auth: row.auth as Uint8Array,
    eventId: row.event_id as string,
    type: row.type as string,
    sender: row.sender as string,
    stateKey: row.state_key as string | null,
    rejectedRule: row.rejected_rule as string | null,
    json: row.json as string,
  }
}

/** Puts the redacted form in place of an event; a second redaction changes nothing. */
export function* redactEvent(ctx: PlanContext, op: Extract<EventOp, { op: 'event.redact' }>): Sql<void> {
  const row = yield* first(`SELECT ${CHECKSUM_COLUMNS} FROM events WHERE event_id = ?1`, op.target)
  if (!row) throw new GuardFailed({ conflict: 'gone', value: op.target })
  const before = checksummedFrom(row)
  if (before.redactedBy !== null) return
  yield* unindexEvent(before.room, before.nid, before)
  const after = { ...before, redactedBy: ctx.event(op.by), json: op.json }
  yield* uncount(before.room, before.nid)
  yield* run(
    'INSERT INTO event_originals (event, keep_until, json) VALUES (?1, ?2, ?3)',
    before.nid,
    op.keepUntil,
    before.json,
  )
  yield* run(
    'UPDATE events SET redacted_by = ?2, json = ?3, checksum = ?4 WHERE nid = ?1',
    before.nid,
    after.redactedBy,
    after.json,
    eventChecksum(after),
  )
  yield* dropRelation(before.nid)
  if (before.stateKey !== '') return
  yield* followState(before.room, [before.type])
  yield* redactRoomFacts(before.room, before, after.json)
}

/** A 48-bit hash of who used the id where, small enough for both engines' integers; equality is checked besides. */
export function txnHash(user: string, device: string, scope: string, txnId: string): number {
  const input = `${user.length}:${user}${device.length}:${device}${scope.length}:${scope}${txnId}`
  return Number.parseInt(hash('sha256', input, 'hex').slice(0, 12), 16)
}

const INSERT_TXN = 'INSERT INTO event_txns (event, hash, ts, device, txn_id) VALUES (?1, ?2, ?3, ?4, ?5)'

/** Guard: the transaction id is new; then remembers it with its event. */
export function* claimTxn(ctx: PlanContext, op: Extract<EventOp, { op: 'event.txn' }>): Sql<void> {
  const hash = ctx.known.txnHashes.get(op) ?? txnHash(op.user, op.device, op.scope, op.txnId)
  if (!ctx.known.newTxns.delete(hash)) {
    const used = yield* findTxn(op.user, op.device, hash, op.txnId)
    if (used !== undefined) throw new GuardFailed({ conflict: 'txn', value: used })
  }
  ctx.tell(INSERT_TXN, ctx.event(op.event), hash, op.ts, op.device, op.txnId)
}

/** The event id that a transaction id gave before. */
export function* findTxn(user: string, device: string, hash: number, txnId: string): Sql<string | undefined> {
  const row = yield* first(
    `SELECT e.event_id FROM event_txns t JOIN events e ON e.nid = t.event
     WHERE t.hash = ?1 AND t.device = ?2 AND t.txn_id = ?3 AND e.sender = ?4`,
    hash,
    device,
    txnId,
    user,
  )
  return row?.event_id as string | undefined
}

/** Finds out for many plans at once which of their transaction ids are new. */
export function* foreseeTxns(known: Known, plans: readonly Plan[]): Sql<void> {
  for (const { ops } of plans) {
    for (const op of ops) {
      if (op.op !== 'event.txn') continue
      known.txnHashes.set(op, txnHash(op.user, op.device, op.scope, op.txnId))
    }
  }
  const hashes = [...known.txnHashes.values()]
  const used = new Set<number>()
  for (const list of lists(hashes)) {
    const rows = yield* run(
      `SELECT hash FROM event_txns WHERE hash IN (${placeholders(1, list.length)})`,
      ...list,
    )
    for (const row of rows) used.add(row.hash as number)
  }
  for (const hash of hashes) if (!used.has(hash)) known.newTxns.add(hash)
}
