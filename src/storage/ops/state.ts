/** Changing room state: one row per key with its history packed in it, and a packed log of the changes. */
import { StoreError } from '#/base/store-error.ts'
import type { StateOp, StatePoint } from '#/ports/store/state.ts'
import { STATE_BRANCH_DEPTH_MAX, STATE_OLDER_INLINE_BYTES } from '../limits.ts'
import { heldMany } from '../queries/state-walk.ts'
import { eventChecksum } from '../sql/checksum.ts'
import { first, lists, pairs, placeholders, run, type Sql } from '../sql/sql.ts'
import { appendOlder, type Delta, type Held } from '../sql/state-codec.ts'
import type { PlanContext } from './context.ts'
import { followState } from './directory.ts'
import { CHECKSUM_COLUMNS, checksummedFrom } from './events.ts'
import { addDeltas } from './state-log.ts'

type OpOf<K extends StateOp['op']> = Extract<StateOp, { op: K }>

/** A row of room_state as it is while a plan changes it. */
interface KeyRow {
  event: number
  pos: number
  older: Uint8Array | null
  /** Whether the database has the row yet. */
  stored: boolean
}

/** Applies changes to a branch at the position of the plan's newest event. */
export function* changeState(ctx: PlanContext, op: OpOf<'state.change'>): Sql<void> {
  const room = ctx.room(op.room)
  const { branch } = op
  const pos = ctx.eventPosition === 0 ? ctx.next() : ctx.eventPosition
  yield* internKeys(ctx, op.changes)
  const keys = op.changes.map((change) => internedKey(ctx, change))
  const rows = yield* rowsOf(room, branch, pos, keys)
  const deltas: Delta[] = []
  for (const [index, change] of op.changes.entries()) {
    const key = keys[index]!
    const event = change.event === null ? 0 : ctx.event(change.event)
    const row = rows.get(key)
    const prev = row ? row.event : 0
    if (prev === event) continue
    deltas.push({ pos, key, event, prev })
    rows.set(key, yield* holdKey(room, branch, key, row, { event, pos }))
  }
  if (deltas.length > 0) yield* addDeltas(ctx.known, room, branch, deltas)
  if (branch === 0 && op.room !== 'new') {
    const types = op.changes.filter((change) => change.stateKey === '').map((change) => change.type)
    yield* followState(room, types)
  }
}

/** Who holds the keys now. For a key that a branch has not touched, what it inherits, as a row not stored yet. */
function* rowsOf(
  room: number,
  branch: number,
  pos: number,
  keys: readonly number[],
): Sql<Map<number, KeyRow>> {
  const found = new Map<number, KeyRow>()
  for (const list of lists(keys)) {
    const rows = yield* run(
      `SELECT state_key, event, pos, older FROM room_state
       WHERE room = ?1 AND branch = ?2 AND state_key IN (${placeholders(3, list.length)})`,
      room,
      branch,
      ...list,
    )
    for (const row of rows) {
      const older = row.older as Uint8Array | null
      found.set(row.state_key as number, {
        event: row.event as number,
        pos: row.pos as number,
        older,
        stored: true,
      })
    }
  }
  if (branch === 0) return found
  const inherited = keys.filter((key) => !found.has(key))
  if (inherited.length === 0) return found
  for (const [key, event] of yield* heldMany(room, { branch, pos }, inherited)) {
    found.set(key, { event, pos: 0, older: null, stored: false })
  }
  return found
}

function* holdKey(
  room: number,
  branch: number,
  key: number,
  row: KeyRow | undefined,
  now: Held,
): Sql<KeyRow> {
  const { event, pos } = now
  if (!row?.stored) {
    yield* run(
      'INSERT INTO room_state (room, branch, state_key, event, pos) VALUES (?1, ?2, ?3, ?4, ?5)',
      room,
      branch,
      key,
      event,
      pos,
    )
    return { event, pos, older: null, stored: true }
  }
  if (row.pos === pos) {
    /* A second change at one position replaces the first: nobody can name the state between them. */
    yield* run(
      'UPDATE room_state SET event = ?4 WHERE room = ?1 AND branch = ?2 AND state_key = ?3',
      room,
      branch,
      key,
      event,
    )
    return { ...row, event }
  }
  const older = yield* supersede(room, branch, key, now, appendOlder(row.older, row))
  return { event, pos, older, stored: true }
}

/** Puts a new holder in the row of a key and its former ones in the packed history, which spills when long and is the result. */
function* supersede(
  room: number,
  branch: number,
  key: number,
  now: Held,
  older: Uint8Array,
): Sql<Uint8Array | null> {
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
  return spills ? null : older
}

interface KeyName {
  readonly type: string
  readonly stateKey: string
}

const internName = (key: KeyName): string => `k${key.type}\0${key.stateKey}`

function internedKey(ctx: PlanContext, key: KeyName): number {
  const nid = ctx.interned.get(internName(key))
  if (nid === undefined) throw new StoreError('invalid', 'a state key was not interned')
  return nid
}

/** Makes sure that the row ids of (type, state_key) pairs are interned; new ones are made. */
export function* internKeys(ctx: PlanContext, keys: readonly KeyName[]): Sql<void> {
  yield* findKeys(ctx, keys)
  const made = new Map<string, KeyName>()
  for (const key of keys) if (!ctx.interned.has(internName(key))) made.set(internName(key), key)
  if (made.size === 0) return
  /* In one order everywhere, so that two transactions that make the same keys do not wait for each other. */
  const names = [...made.keys()].sort()
  for (const name of names) {
    const { type, stateKey } = made.get(name)!
    yield* run(
      'INSERT INTO state_keys (nid, type, state_key) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING',
      ctx.next(),
      type,
      stateKey,
    )
  }
  /* Read back, because another connection may have made a key in the meantime. */
  yield* findKeys(ctx, [...made.values()])
}

function* findKeys(ctx: PlanContext, keys: readonly KeyName[]): Sql<void> {
  const unknown = keys.filter((key) => !ctx.interned.has(internName(key)))
  for (const list of lists(unknown)) {
    const rows = yield* run(
      `SELECT k.nid, k.type, k.state_key FROM (VALUES ${pairs(1, list.length)}) AS v CROSS JOIN state_keys k
       WHERE k.type = v.column1 AND k.state_key = v.column2`,
      ...list.flatMap((key) => [key.type, key.stateKey]),
    )
    for (const row of rows) {
      const name = internName({ type: row.type as string, stateKey: row.state_key as string })
      ctx.interned.set(name, row.nid as number)
    }
  }
}

/** Opens a branch at a point; the result is its number. Refuses to nest deeper than the limit. */
export function* openBranch(ctx: PlanContext, op: OpOf<'state.branch'>): Sql<number> {
  const depth = yield* branchDepth(op.parent)
  if (depth >= STATE_BRANCH_DEPTH_MAX) {
    throw new StoreError('invalid', `state branches may not nest deeper than ${STATE_BRANCH_DEPTH_MAX}`)
  }
  const nid = ctx.next()
  yield* run(
    'INSERT INTO state_branches (nid, room, parent, parent_pos, depth) VALUES (?1, ?2, ?3, ?4, ?5)',
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
