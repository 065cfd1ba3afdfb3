/** Reading what lists of rooms ask. */
import type { RoomFactsRow } from '#/ports/store/room-facts.ts'
import { lists, placeholders, run, type Sql } from '../sql/sql.ts'
import { query } from './query.ts'

export const roomFactsOf = query('roomFacts.of', 'large', function* (rooms: readonly number[]): Sql<
  RoomFactsRow[]
> {
  const found = new Map<number, RoomFactsRow>()
  for (const list of lists(rooms)) {
    const rows = yield* run(
      `SELECT f.room, f.bump, f.encrypted, f.room_type, f.name,
         (SELECT MAX(e.arrival) FROM events e WHERE e.room = f.room AND e.arrival IS NOT NULL) AS latest
       FROM room_facts f WHERE f.room IN (${placeholders(1, list.length)})`,
      ...list,
    )
    for (const row of rows) {
      const room = row.room as number
      found.set(room, {
        room,
        latest: (row.latest as number | null) ?? 0,
        bump: row.bump as number,
        roomType: row.room_type as string | null,
        name: row.name as string | null,
        encrypted: row.encrypted === 1,
      })
    }
  }
  return [...found.values()]
})
