/** Writing rooms, their heads and local memberships. */
import type { RoomOp } from '#/ports/store/rooms.ts'
import { hiddenRoomId, ROOM_GOING } from '../sql/room-state.ts'
import { first, run, type Sql } from '../sql/sql.ts'
import { GuardFailed, type PlanContext } from './context.ts'
import { followMembers } from './directory.ts'
import { clearRoomOfUser, PUSH_OF_ROOM } from './push.ts'
import { createRoomFacts } from './room-facts.ts'
import { SEARCH_ROOM_TABLES } from './search.ts'
import { forgetKnown } from './state-log.ts'
import { USAGE_OF_ROOM } from './usage.ts'

type OpOf<K extends RoomOp['op']> = Extract<RoomOp, { op: K }>

/** Creates a room with sequence 0; its row id is the result. */
export function* createRoom(ctx: PlanContext, op: OpOf<'room.create'>): Sql<number> {
  const nid = ctx.next()
  const made = yield* run(
    `INSERT INTO rooms (nid, room_id, version, stale) VALUES (?1, ?2, ?3, ?4)
     ON CONFLICT DO NOTHING RETURNING nid`,
    nid,
    op.hidden ? hiddenRoomId(nid) : op.roomId,
    op.version,
    op.hidden ? ROOM_GOING : 0,
  )
  if (made.length === 0) throw new GuardFailed({ conflict: 'taken', value: op.roomId })
  yield* run(
    `INSERT INTO room_heads (room, seq, extremities, depth, joined, invited)
     VALUES (?1, 0, '[]', 0, 0, 0)`,
    nid,
  )
  yield* createRoomFacts(nid)
  ctx.known.heads.set(nid, 0)
  ctx.newRoom(nid)
  return nid
}

/** Shows a room that was made hidden; the position at which it came into sight is the result. */
export function* openRoom(ctx: PlanContext, op: OpOf<'room.open'>): Sql<number> {
  const { roomId, members } = op
  const room = ctx.room(op.room)
  const taken = yield* first('SELECT nid FROM rooms WHERE room_id = ?1', roomId)
  if (taken) throw new GuardFailed({ conflict: 'taken', value: roomId })
  const position = ctx.next()
  const rows = yield* run(
    `UPDATE rooms SET stale = 0, room_id = ?2, opened = ?3
     WHERE nid = ?1 AND stale = ${ROOM_GOING} AND EXISTS (SELECT 1 FROM room_heads h WHERE h.room = ?1)
     RETURNING nid`,
    room,
    roomId,
    position,
  )
  if (rows.length === 0) throw new GuardFailed({ conflict: 'gone' })
  for (const { user, membership } of members) {
    if (membership !== 'join') continue
    yield* run('UPDATE local_memberships SET pos = ?3 WHERE user_id = ?1 AND room = ?2', user, room, position)
  }
  ctx.changes.push({ stream: 'rooms', position, room, opened: { roomId, members } })
  return position
}

const MOVE_HEAD = `UPDATE room_heads SET seq = seq + 1, extremities = ?3, depth = ?4, joined = joined + ?5,
  invited = invited + ?6 WHERE room = ?1 AND seq = ?2`

const MOVE_KNOWN_NOT = `${MOVE_HEAD} RETURNING seq`

/** Guard and move of the room's head. */
export function* moveHead(ctx: PlanContext, op: OpOf<'room.head'>): Sql<void> {
  const room = ctx.room(op.room)
  const known = ctx.known.heads.get(room)
  if (known !== undefined && known !== op.expect) throw new GuardFailed({ conflict: 'head' })
  const { expect, depth, joinedDelta, invitedDelta } = op
  const extremities = JSON.stringify(op.extremities)
  if (known === undefined) {
    const params = [room, expect, extremities, depth, joinedDelta, invitedDelta]
    const moved = yield* run(MOVE_KNOWN_NOT, ...params)
    if (moved.length === 0) throw new GuardFailed({ conflict: 'head' })
  } else ctx.tell(MOVE_HEAD, room, expect, extremities, depth, joinedDelta, invitedDelta)
  ctx.known.heads.set(room, expect + 1)
  if (joinedDelta !== 0 && op.room !== 'new') yield* followMembers(room)
}

export function* setMembership(ctx: PlanContext, op: OpOf<'room.membership'>): Sql<void> {
  yield* run(
    `INSERT INTO local_memberships (user_id, room, membership, event, pos, forgotten, sender, stripped)
     VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7)
     ON CONFLICT (user_id, room) DO UPDATE SET membership = excluded.membership, event = excluded.event,
       pos = excluded.pos, forgotten = 0, sender = excluded.sender, stripped = excluded.stripped`,
    op.user,
    ctx.room(op.room),
    op.membership,
    ctx.event(op.event),
    ctx.eventPosition,
    op.sender,
    op.stripped,
  )
  if (op.membership === 'leave' || op.membership === 'ban') yield* clearRoomOfUser(op.user, ctx.room(op.room))
}

/** Guard: the user has left; then the room is out of the user's sight. */
export function* forgetRoom(_ctx: PlanContext, op: OpOf<'room.forget'>): Sql<void> {
  const rows = yield* run(
    `UPDATE local_memberships SET forgotten = 1
     WHERE user_id = ?1 AND room = ?2 AND membership IN ('leave', 'ban') RETURNING room`,
    op.user,
    op.room,
  )
  if (rows.length === 0) throw new GuardFailed({ conflict: 'gone' })
}

/** Row ids of the room's events by two indexes, since no index holds both kinds. */
const EVENTS_OF = `SELECT nid FROM events WHERE room = ?1 AND arrival IS NOT NULL
  UNION ALL SELECT nid FROM events WHERE room = ?1 AND arrival IS NULL`

/** Tables whose rows belong to a room, in the order in which they are emptied. */
const ROOM_TABLES = [
  ...PUSH_OF_ROOM,
  'DELETE FROM event_txns WHERE event IN (SELECT nid FROM events WHERE room = ?1)',
  'DELETE FROM event_originals WHERE event IN (SELECT nid FROM events WHERE room = ?1)',
  'DELETE FROM event_relations WHERE target IN (SELECT nid FROM relation_targets WHERE room = ?1)',
  'DELETE FROM relation_targets WHERE room = ?1',
  'DELETE FROM thread_subscriptions WHERE room = ?1',
  `DELETE FROM event_txns WHERE event IN (${EVENTS_OF})`,
  `DELETE FROM event_originals WHERE event IN (${EVENTS_OF})`,
  `DELETE FROM state_keys WHERE nid IN (SELECT state_key FROM room_state WHERE room = ?1)
     AND NOT EXISTS (SELECT 1 FROM room_state s WHERE s.state_key = state_keys.nid AND s.room <> ?1)`,
  'DELETE FROM room_state WHERE room = ?1',
  'DELETE FROM room_state_older WHERE room = ?1',
  'DELETE FROM state_delta_tails WHERE room = ?1',
  'DELETE FROM state_delta_chunks WHERE room = ?1',
  'DELETE FROM state_branches WHERE room = ?1',
  'DELETE FROM local_memberships WHERE room = ?1',
  'DELETE FROM room_aliases WHERE room = ?1',
  'DELETE FROM published_rooms WHERE room = ?1',
  'DELETE FROM account_data WHERE room = ?1 AND room <> 0',
  'DELETE FROM receipts WHERE room = ?1',
  ...SEARCH_ROOM_TABLES,
  'DELETE FROM directory_rooms WHERE room = ?1',
  'DELETE FROM events WHERE room = ?1',
  'DELETE FROM room_facts WHERE room = ?1',
  'DELETE FROM reports WHERE room = ?1 AND room <> 0',
  'DELETE FROM delayed_events WHERE room = ?1',
  USAGE_OF_ROOM,
  `DELETE FROM events WHERE nid IN (${EVENTS_OF})`,
  'DELETE FROM room_heads WHERE room = ?1',
  'DELETE FROM rooms WHERE nid = ?1',
] as const

/** Takes all rows of a room away at once. */
export function* deleteRoom(ctx: PlanContext, op: OpOf<'room.delete'>): Sql<void> {
  yield* forgetKnown(ctx)
  for (const text of ROOM_TABLES) yield* run(text, op.room)
}
