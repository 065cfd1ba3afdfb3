/** Writing what lists of rooms ask. */
import type { RoomFactsOp } from '#/ports/store/room-facts.ts'
import { run, type Sql, type SqlValue } from '../sql/sql.ts'
import type { PlanContext } from './context.ts'

const COLUMNS = ['bump', 'encrypted', 'room_type', 'name'] as const

/** The row of a new room. */
export function* createRoomFacts(room: number): Sql<void> {
  yield* run('INSERT INTO room_facts (room, bump, encrypted) VALUES (?1, 0, 0)', room)
}

/** Changes the facts of a room. The bump stamp is the position of the plan's newest event. */
export function* changeRoomFacts(ctx: PlanContext, op: RoomFactsOp): Sql<void> {
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
