/** Purging a room's history, and deleting a room, a slice at a time. docs/decisions/0011-purge.md */
import type { RoomOp } from '#/ports/store/rooms.ts'
import { domainOf } from '#/protocol/ids/domain.ts'
import { hiddenRoomId, ROOM_GOING } from '../sql/room-state.ts'
import { first, lists, placeholders, type Row, run, type Sql } from '../sql/sql.ts'
import { GuardFailed, type PlanContext } from './context.ts'
import { uncountEvents } from './push.ts'
import { dropRelation } from './relations.ts'
import { deleteRoom } from './rooms.ts'
import { unindexEvents } from './search.ts'
import { forgetKnown } from './state-log.ts'

type OpOf<K extends RoomOp['op']> = Extract<RoomOp, { op: K }>

/** Where a purge goes on; absent when there is nothing more. */
export interface PurgeResult {
  readonly gone: number
  readonly next: { readonly ts: number; readonly arrival: number } | null
}

/** Deletes old messages: never state, what the room's next event builds on, or a redaction that still redacts. */
export function* purgeRoom(ctx: PlanContext, op: OpOf<'room.purge'>): Sql<PurgeResult> {
  const rows = yield* run(
    `SELECT nid, ts, arrival, event_id, type, sender, state_key,
       CASE WHEN type = 'm.room.redaction' THEN json ELSE NULL END AS redaction
     FROM events WHERE room = ?1 AND arrival IS NOT NULL AND (ts, arrival) > (?2, ?3) AND ts < ?4
     ORDER BY ts, arrival LIMIT ?5`,
    op.room,
    op.after?.ts ?? -Number.MAX_SAFE_INTEGER,
    op.after?.arrival ?? -Number.MAX_SAFE_INTEGER,
    op.before,
    op.limit,
  )
  const head = yield* first('SELECT extremities FROM room_heads WHERE room = ?1', op.room)
  const kept = new Set(head ? (JSON.parse(head.extremities as string) as string[]) : [])
  const old = rows.filter(
    (row) =>
      row.state_key === null &&
      !kept.has(row.event_id as string) &&
      (op.keepServer === undefined || domainOf(row.sender as string) !== op.keepServer),
  )
  const gone = yield* withoutNeeded(old)
  yield* forgetEvents(op.room, gone)
  yield* deleteEvents(gone)
  if (gone.length > 0) yield* forgetKnown(ctx)
  const last = rows.length < op.limit ? undefined : rows.at(-1)
  return {
    gone: gone.length,
    next: last ? { ts: last.ts as number, arrival: last.arrival as number } : null,
  }
}

/** Takes events out of what is known about others: relations, counts and the index of messages. */
function* forgetEvents(room: number, nids: readonly number[]): Sql<void> {
  for (const list of lists(nids)) {
    const among = placeholders(1, list.length)
    const rows = yield* run(`SELECT nid, type, state_key, json FROM events WHERE nid IN (${among})`, ...list)
    const events = rows.map((row) => {
      const { type, json } = row as { type: string; json: string }
      return [row.nid as number, { type, stateKey: row.state_key as string | null, json }] as const
    })
    yield* unindexEvents(room, new Map(events))
    const relating = yield* run(`SELECT event FROM event_relations WHERE event IN (${among})`, ...list)
    for (const row of relating) yield* dropRelation(row.event as number)
    yield* uncountEvents(room, list)
  }
}

/** What goes with an event, and at last the event. */
const EVENT_TABLES = [
  'DELETE FROM event_txns WHERE event',
  'DELETE FROM event_originals WHERE event',
  'DELETE FROM events WHERE nid',
] as const

function* deleteEvents(nids: readonly number[]): Sql<void> {
  for (const list of lists(nids)) {
    const among = placeholders(1, list.length)
    for (const text of EVENT_TABLES) yield* run(`${text} IN (${among})`, ...list)
  }
}

/** Row ids of events without the redactions that an event which stays names as its own. */
function* withoutNeeded(old: readonly Row[]): Sql<number[]> {
  const going = new Set(old.map((row) => row.nid as number))
  for (const row of old) {
    const target = row.redaction === null ? undefined : targetOf(row.redaction as string)
    if (target === undefined) continue
    const found = yield* first('SELECT nid, redacted_by FROM events WHERE event_id = ?1', target)
    if (found?.redacted_by === row.nid && !going.has(found?.nid as number)) going.delete(row.nid as number)
  }
  return [...going]
}

/** The event that a redaction names, wherever its room version writes it. */
function targetOf(json: string): string | undefined {
  const event = JSON.parse(json) as { redacts?: unknown; content?: { redacts?: unknown } }
  const target = event.redacts ?? event.content?.redacts
  return typeof target === 'string' ? target : undefined
}

/** Guard: the room is there; takes it out of everybody's sight, so that its rows may go one after the other. */
export function* hideRoom(ctx: PlanContext, op: OpOf<'room.hide'>): Sql<void> {
  const rows = yield* run(
    `UPDATE rooms SET stale = ${ROOM_GOING}, room_id = ?2 WHERE nid = ?1 AND stale <> ${ROOM_GOING} RETURNING nid`,
    op.room,
    hiddenRoomId(op.room),
  )
  if (rows.length === 0) throw new GuardFailed({ conflict: 'gone' })
  yield* run('DELETE FROM room_heads WHERE room = ?1', op.room)
  yield* forgetKnown(ctx)
}

/** Tables with many rows per room, each with its key. */
const LARGE = [
  ['local_memberships', 'user_id, room'],
  ['room_state_older', 'room, branch, state_key, upto'],
  ['state_delta_chunks', 'room, branch, upto'],
] as const

/** Deletes at most `limit` rows of a hidden room, or all that is left when that is little; the result is their number. */
export function* clearRoom(ctx: PlanContext, op: OpOf<'room.clear'>): Sql<number> {
  const room = yield* first('SELECT stale FROM rooms WHERE nid = ?1', op.room)
  if (room?.stale !== ROOM_GOING) throw new GuardFailed({ conflict: 'gone' })
  yield* forgetKnown(ctx)
  /* Whoever makes the room still, has given it up by now; without a head it never comes into sight. */
  yield* run('DELETE FROM room_heads WHERE room = ?1', op.room)
  for (const shown of ['arrival IS NOT NULL', 'arrival IS NULL']) {
    const text = `SELECT nid FROM events WHERE room = ?1 AND ${shown} LIMIT ?2`
    const events = yield* run(text, op.room, op.limit)
    yield* deleteEvents(events.map((row) => row.nid as number))
    if (events.length > 0) return events.length
  }
  for (const [table, key] of LARGE) {
    const rows = yield* run(
      `DELETE FROM ${table} WHERE (${key}) IN (SELECT ${key} FROM ${table} WHERE room = ?1 LIMIT ?2)
       RETURNING room`,
      op.room,
      op.limit,
    )
    if (rows.length > 0) return rows.length
  }
  const keys = yield* clearState(op)
  if (keys > 0) return keys
  yield* deleteRoom(ctx, { op: 'room.delete', room: op.room })
  return 0
}

/** Some keys of the room's state, with the names that no other room uses. */
function* clearState(op: OpOf<'room.clear'>): Sql<number> {
  const rows = yield* run(
    `DELETE FROM room_state WHERE (room, branch, state_key) IN
       (SELECT room, branch, state_key FROM room_state WHERE room = ?1 LIMIT ?2) RETURNING state_key`,
    op.room,
    op.limit,
  )
  for (const list of lists([...new Set(rows.map((row) => row.state_key as number))])) {
    yield* run(
      `DELETE FROM state_keys WHERE nid IN (${placeholders(1, list.length)})
         AND NOT EXISTS (SELECT 1 FROM room_state s WHERE s.state_key = state_keys.nid)`,
      ...list,
    )
  }
  return rows.length
}
