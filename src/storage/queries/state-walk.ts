/** Finding who holds a key, over the packed history and the chain of branches. */
import type { StatePoint } from '#/ports/store/state.ts'
import { first, run, type Sql } from '../sql/sql.ts'
import { type Delta, olderAt, unpackDeltas } from '../sql/state-codec.ts'

/** Row id of the event that holds a key at a point, 0 when nobody does. Cost: one row per branch, not per change. */
export function* heldAt(room: number, point: StatePoint, key: number): Sql<number> {
  for (const { branch, pos } of yield* lineage(point)) {
    const row = yield* first(
      'SELECT event, pos, older, spilled FROM room_state WHERE room = ?1 AND branch = ?2 AND state_key = ?3',
      room,
      branch,
      key,
    )
    if (!row) continue
    if ((row.pos as number) <= pos) return row.event as number
    const inline = olderAt(row.older as Uint8Array | null, pos)
    if (inline) return inline.event
    if ((row.spilled as number) > 0) {
      const held = yield* spilledAt(room, branch, key, pos)
      if (held !== undefined) return held
    }
  }
  return 0
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

/** Changes of one branch in (from, to], oldest first, from packed chunks and loose rows. */
export function* deltasBetween(room: number, branch: number, from: number, to: number): Sql<Delta[]> {
  const deltas: Delta[] = []
  const chunks = yield* run(
    `SELECT data FROM state_delta_chunks WHERE room = ?1 AND branch = ?2 AND upto > ?3 AND since <= ?4 ORDER BY upto`,
    room,
    branch,
    from,
    to,
  )
  for (const chunk of chunks) {
    for (const delta of unpackDeltas(chunk.data as Uint8Array)) {
      if (delta.pos > from && delta.pos <= to) deltas.push(delta)
    }
  }
  const rows = yield* run(
    `SELECT pos, state_key, event, prev FROM state_deltas
     WHERE room = ?1 AND branch = ?2 AND pos > ?3 AND pos <= ?4 ORDER BY pos, state_key`,
    room,
    branch,
    from,
    to,
  )
  for (const row of rows) {
    deltas.push({
      pos: row.pos as number,
      key: row.state_key as number,
      event: row.event as number,
      prev: row.prev as number,
    })
  }
  return deltas
}
