/** Finding who holds a key, over the packed history and the chain of branches. */
import type { StatePoint } from '#/ports/store/state.ts'
import { first, lists, placeholders, type Row, run, type Sql } from '../sql/sql.ts'
import { type Delta, olderAt, unpackDeltas } from '../sql/state-codec.ts'

/**
 * Row ids of the events that hold the given keys at a point; 0 for a key that was taken away, no entry for one that
 * was never set. Cost: one row per key and branch, not per change.
 */
export function* heldMany(
  room: number,
  point: StatePoint,
  keys: readonly number[],
): Sql<Map<number, number>> {
  const held = new Map<number, number>()
  let missing = keys
  for (const { branch, pos } of yield* lineage(point)) {
    for (const list of lists(missing)) {
      const rows = yield* run(
        `SELECT state_key, event, pos, CASE WHEN pos > ?3 THEN older END AS older, spilled FROM room_state
         WHERE room = ?1 AND branch = ?2 AND state_key IN (${placeholders(4, list.length)})`,
        room,
        branch,
        pos,
        ...list,
      )
      for (const row of rows) {
        const event = yield* rowAt(room, branch, row, pos)
        if (event !== undefined) held.set(row.state_key as number, event)
      }
    }
    missing = missing.filter((key) => !held.has(key))
    if (missing.length === 0) break
  }
  return held
}

/**
 * What a row of room_state (its `event`, `pos`, `older`, `spilled`, `state_key`) says of a position: the event, 0 for
 * taken away, undefined for not yet set on this branch.
 */
export function* rowAt(room: number, branch: number, row: Row, pos: number): Sql<number | undefined> {
  if ((row.pos as number) <= pos) return row.event as number
  const inline = olderAt(row.older as Uint8Array | null, pos)
  if (inline) return inline.event
  if (row.spilled === 0) return undefined
  return yield* spilledAt(room, branch, row.state_key as number, pos)
}

/** The same in the history that spilled into rows of its own. */
export function* spilledAt(room: number, branch: number, key: number, pos: number): Sql<number | undefined> {
  const around = yield* first(
    `SELECT data FROM room_state_older WHERE room = ?1 AND branch = ?2 AND state_key = ?3 AND upto >= ?4
     ORDER BY upto LIMIT 1`,
    room,
    branch,
    key,
    pos,
  )
  const held = around && olderAt(around.data as Uint8Array, pos)
  if (held) return held.event
  const before = yield* first(
    `SELECT data FROM room_state_older WHERE room = ?1 AND branch = ?2 AND state_key = ?3 AND upto < ?4
     ORDER BY upto DESC LIMIT 1`,
    room,
    branch,
    key,
    pos,
  )
  return before && olderAt(before.data as Uint8Array, pos)?.event
}

/** The point itself, then where its branch began, and so on down to the main line (branch 0). */
export function* lineage(point: StatePoint): Sql<StatePoint[]> {
  const points = [point]
  let at = point
  while (at.branch !== 0) {
    const row = yield* first('SELECT parent, parent_pos FROM state_branches WHERE nid = ?1', at.branch)
    if (!row) throw new Error(`state branch ${at.branch} does not exist`)
    at = { branch: row.parent as number, pos: row.parent_pos as number }
    points.push(at)
  }
  return points
}

/** Changes of one branch in (from, to], oldest first, from its chunks and its tail. */
export function* deltasBetween(room: number, branch: number, from: number, to: number): Sql<Delta[]> {
  const deltas: Delta[] = []
  for (const table of ['state_delta_chunks', 'state_delta_tails']) {
    const rows = yield* run(
      `SELECT data FROM ${table} WHERE room = ?1 AND branch = ?2 AND upto > ?3 AND since <= ?4 ORDER BY upto`,
      room,
      branch,
      from,
      to,
    )
    for (const row of rows) {
      for (const delta of unpackDeltas(row.data as Uint8Array)) {
        if (delta.pos > from && delta.pos <= to) deltas.push(delta)
      }
    }
  }
  return deltas
}
