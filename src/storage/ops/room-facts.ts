/** Writing what lists of rooms ask. */
import type { RoomFactsOp } from '#/ports/store/room-facts.ts'
import { readJson } from '#/protocol/json/reader.ts'
import { isObject, member } from '#/protocol/json/value.ts'
import { run, type Sql, type SqlValue } from '../sql/sql.ts'
import type { PlanContext } from './context.ts'

const COLUMNS = ['bump', 'encrypted', 'room_type', 'name'] as const

/** The row of a new room. */
export function* createRoomFacts(room: number): Sql<void> {
  yield* run('INSERT INTO room_facts (room, bump, encrypted) VALUES (?1, 0, 0)', room)
}

const BUMP = 'UPDATE room_facts SET bump = ?2 WHERE room = ?1'

/** Changes the facts of a room. The bump stamp is the position of the plan's newest event. */
export function* changeRoomFacts(ctx: PlanContext, op: RoomFactsOp): Sql<void> {
  const more = op.encrypted !== undefined || op.roomType !== undefined || op.name !== undefined
  if (!more) {
    if (op.bump !== undefined) ctx.tell(BUMP, ctx.room(op.room), ctx.eventPosition)
    return
  }
  const values: Record<(typeof COLUMNS)[number], SqlValue | undefined> = {
    bump: op.bump === undefined ? undefined : ctx.eventPosition,
    encrypted: op.encrypted === undefined ? undefined : Number(op.encrypted),
    room_type: op.roomType,
    name: op.name,
  }
  const params: SqlValue[] = [ctx.room(op.room)]
  const sets: string[] = []
  for (const column of COLUMNS) {
    const value = values[column]
    if (value === undefined) continue
    params.push(value)
    sets.push(`${column} = ?${params.length}`)
  }
  if (sets.length === 0) return
  yield* run(`UPDATE room_facts SET ${sets.join(', ')} WHERE room = ?1`, ...params)
}

const HELD = `EXISTS (SELECT 1 FROM state_keys k CROSS JOIN room_state s
  WHERE k.type = ?3 AND k.state_key = '' AND s.room = ?1 AND s.branch = 0 AND s.state_key = k.nid AND s.event = ?2)`

/** Columns of what a redacted state event may have said. */
const SAID = { 'm.room.name': ['name', 'name'], 'm.room.create': ['room_type', 'type'] } as const

/** Takes back what a state event of a room said, where it still holds, as far as its redacted form says it no more. */
export function* redactRoomFacts(
  room: number,
  event: { readonly nid: number; readonly type: string },
  redactedJson: string,
): Sql<void> {
  if (event.type !== 'm.room.name' && event.type !== 'm.room.create') return
  const [column, key] = SAID[event.type]
  const read = readJson(redactedJson, 'lenient')
  const content = read.ok && isObject(read.value) ? member(read.value, 'content') : undefined
  if (isObject(content) && member(content, key) !== undefined) return
  yield* run(
    `UPDATE room_facts SET ${column} = NULL WHERE room = ?1 AND ${HELD}`,
    room,
    event.nid,
    event.type,
  )
}
