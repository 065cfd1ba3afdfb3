/** Changing room state: one row per key with its history packed in it, and a packed log of the changes. */
import { StoreError } from '#/base/store-error.ts'
import type { StateChange, StateOp, StatePoint } from '#/ports/store/state.ts'
import { STATE_BRANCH_DEPTH_MAX, STATE_OLDER_INLINE_BYTES, STATE_TAIL_ROWS } from '../limits.ts'
import { heldAt } from '../queries/state-walk.ts'
import { eventChecksum } from '../sql/checksum.ts'
import { first, run, type Sql } from '../sql/sql.ts'
import { appendOlder, type Delta, packDeltas } from '../sql/state-codec.ts'
import type { PlanContext } from './context.ts'
import { CHECKSUM_COLUMNS, checksummedFrom } from './events.ts'

type OpOf<K extends StateOp['op']> = Extract<StateOp, { op: K }>

/** Applies changes to a branch at the position of the plan's newest event. */
export function* changeState(ctx: PlanContext, op: OpOf<'state.change'>): Sql<void> {
  const room = ctx.room(op.room)
  const pos = ctx.eventPosition === 0 ? ctx.next() : ctx.eventPosition
  let changed = 0
  for (const change of op.changes) {
    if (yield* changeKey(ctx, room, op.branch, pos, change)) changed++
  }
  if (changed > 0) yield* growTail(room, op.branch, changed)
}

function* changeKey(
  ctx: PlanContext,
  room: number,
  branch: number,
  pos: number,
  change: StateChange,
): Sql<boolean> {
  const key = yield* stateKeyNid(ctx, change.type, change.stateKey)
  const event = change.event === null ? 0 : ctx.event(change.event)
  const row = yield* first(
    'SELECT event, pos, older FROM room_state WHERE room = ?1 AND branch = ?2 AND state_key = ?3',
    room,
    branch,
    key,
  )
  const prev = row ? (row.event as number) : branch === 0 ? 0 : yield* heldAt(room, { branch, pos }, key)
  if (prev === event) return false
  if (!row) {
    yield* run(
      'INSERT INTO room_state (room, branch, state_key, event, pos) VALUES (?1, ?2, ?3, ?4, ?5)',
      room,
      branch,
      key,
      event,
      pos,
    )
  } else if (row.pos === pos) {
    /* A second change at one position replaces the first: nobody can name the state between them. */
    yield* run(
      'UPDATE room_state SET event = ?4 WHERE room = ?1 AND branch = ?2 AND state_key = ?3',
      room,
      branch,
      key,
      event,
    )
  } else {
    const held = { pos: row.pos as number, event: row.event as number }
    yield* supersede(room, branch, key, { event, pos }, appendOlder(row.older as Uint8Array | null, held))
  }
  yield* run(
    `INSERT INTO state_deltas (room, branch, pos, state_key, event, prev) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
     ON CONFLICT (room, branch, pos, state_key) DO UPDATE SET event = excluded.event`,
    room,
    branch,
    pos,
    key,
    event,
    prev,
  )
  return true
}

/** Puts a new holder in the row of a key and its former ones in the packed history, which spills when long. */
function* supersede(
  room: number,
  branch: number,
  key: number,
  now: { event: number; pos: number },
  older: Uint8Array,
): Sql<void> {
  const spills = older.length > STATE_OLDER_INLINE_BYTES
  if (spills) {
    yield* run(
      'INSERT INTO room_state_older (room, branch, state_key, upto, data) VALUES (?1, ?2, ?3, ?4, ?5)',
      room,
      branch,
      key,
      now.pos - 1,
      older,
    )
  }
  yield* run(
    `UPDATE room_state SET event = ?4, pos = ?5, older = ?6, spilled = spilled + ?7
     WHERE room = ?1 AND branch = ?2 AND state_key = ?3`,
    room,
    branch,
    key,
    now.event,
    now.pos,
    spills ? null : older,
    spills ? 1 : 0,
  )
}

/** The row id of a (type, state_key) pair, made when it is new. */
export function* stateKeyNid(ctx: PlanContext, type: string, stateKey: string): Sql<number> {
  const name = `k${type}\0${stateKey}`
  const known = ctx.interned.get(name)
  if (known !== undefined) return known
  const row = yield* first('SELECT nid FROM state_keys WHERE type = ?1 AND state_key = ?2', type, stateKey)
  let nid = row?.nid as number | undefined
  if (nid === undefined) {
    nid = ctx.next()
    yield* run('INSERT INTO state_keys (nid, type, state_key) VALUES (?1, ?2, ?3)', nid, type, stateKey)
  }
  ctx.interned.set(name, nid)
  return nid
}

function* growTail(room: number, branch: number, by: number): Sql<void> {
  const row =
    branch === 0
      ? yield* first(
          'UPDATE room_heads SET state_tail = state_tail + ?2 WHERE room = ?1 RETURNING state_tail AS tail',
          room,
          by,
        )
      : yield* first('UPDATE state_branches SET tail = tail + ?2 WHERE nid = ?1 RETURNING tail', branch, by)
  if (!row) throw new StoreError('invalid', 'state changed on a room or branch that does not exist')
  if ((row.tail as number) >= STATE_TAIL_ROWS) yield* packTail(room, branch)
}

/** Moves the change rows of a room into one packed chunk. */
function* packTail(room: number, branch: number): Sql<void> {
  const rows = yield* run(
    'SELECT pos, state_key, event, prev FROM state_deltas WHERE room = ?1 AND branch = ?2 ORDER BY pos, state_key',
    room,
    branch,
  )
  const deltas: Delta[] = rows.map((row) => ({
    pos: row.pos as number,
    key: row.state_key as number,
    event: row.event as number,
    prev: row.prev as number,
  }))
  const oldest = deltas[0]
  const newest = deltas.at(-1)
  if (!oldest || !newest) return
  yield* run(
    'INSERT INTO state_delta_chunks (room, branch, upto, since, data) VALUES (?1, ?2, ?3, ?4, ?5)',
    room,
    branch,
    newest.pos,
    oldest.pos,
    packDeltas(deltas),
  )
  yield* run(
    'DELETE FROM state_deltas WHERE room = ?1 AND branch = ?2 AND pos <= ?3',
    room,
    branch,
    newest.pos,
  )
  if (branch === 0) yield* run('UPDATE room_heads SET state_tail = 0 WHERE room = ?1', room)
  else yield* run('UPDATE state_branches SET tail = 0 WHERE nid = ?1', branch)
}

/** Opens a branch at a point; the result is its number. Refuses to nest deeper than the limit. */
export function* openBranch(ctx: PlanContext, op: OpOf<'state.branch'>): Sql<number> {
  const depth = yield* branchDepth(op.parent)
  if (depth >= STATE_BRANCH_DEPTH_MAX) {
    throw new StoreError('invalid', `state branches may not nest deeper than ${STATE_BRANCH_DEPTH_MAX}`)
  }
  const nid = ctx.next()
  yield* run(
    'INSERT INTO state_branches (nid, room, parent, parent_pos, depth, tail) VALUES (?1, ?2, ?3, ?4, ?5, 0)',
    nid,
    ctx.room(op.room),
    op.parent.branch,
    op.parent.pos,
    depth + 1,
  )
  return nid
}

function* branchDepth(point: StatePoint): Sql<number> {
  if (point.branch === 0) return 0
  const row = yield* first('SELECT depth FROM state_branches WHERE nid = ?1', point.branch)
  if (!row) throw new StoreError('invalid', 'the parent branch does not exist')
  return row.depth as number
}

/** Keeps the point at which an event was judged, for events whose state is not the main line's. */
export function* setStatePoint(ctx: PlanContext, op: OpOf<'state.at'>): Sql<void> {
  const nid = ctx.event(op.event)
  const row = yield* first(`SELECT ${CHECKSUM_COLUMNS} FROM events WHERE nid = ?1`, nid)
  if (!row) throw new StoreError('invalid', 'state point for an event that is not stored')
  const after = { ...checksummedFrom(row), stateBranch: op.point.branch, statePos: op.point.pos }
  yield* run(
    'UPDATE events SET state_branch = ?2, state_pos = ?3, checksum = ?4 WHERE nid = ?1',
    nid,
    op.point.branch,
    op.point.pos,
    eventChecksum(after),
  )
}
