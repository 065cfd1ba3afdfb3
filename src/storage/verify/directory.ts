/** Published rooms: their numbers of members against those of the rooms. */
import type { Sql } from '../sql/sql.ts'
import { walk } from './pages.ts'
import type { Findings } from './report.ts'

export function* verifyDirectory(findings: Findings): Sql<void> {
  const text = `SELECT p.room, p.joined, h.joined AS members FROM published_rooms p
    JOIN room_heads h ON h.room = p.room WHERE 1 = 1 {after}`
  yield* walk(findings, { table: 'published_rooms', text, key: [['p.room', 'room']] }, (rows) => {
    for (const row of rows) {
      if (row.joined === row.members) continue
      findings.add('published.joined', row.room as number, `${row.joined}, but ${row.members} are joined`)
    }
    return undefined
  })
}
