/** State as whole events: at a point, and some members of the current state. */
import type { EventRow } from '#/ports/store/events.ts'
import type { StatePoint } from '#/ports/store/state.ts'
import { READ_ROWS_SMALL } from '../limits.ts'
import { placeholders, run, type Sql } from '../sql/sql.ts'
import { EVENT_COLUMNS, eventFrom } from './events.ts'
import { query } from './query.ts'
import { fullStateAt } from './state.ts'

export const stateEventsAt = query(
  'state.eventsAt',
  'large',
  function* (room: number, point: StatePoint, exceptType: string | undefined): Sql<EventRow[]> {
    const entries = yield* fullStateAt.run(room, point)
    const nids = entries.filter((entry) => entry.type !== exceptType).map((entry) => entry.event)
    const events: EventRow[] = []
    for (let i = 0; i < nids.length; i += READ_ROWS_SMALL) {
      const some = nids.slice(i, i + READ_ROWS_SMALL)
      const rows = yield* run(
        `SELECT ${EVENT_COLUMNS} FROM events e WHERE e.nid IN (${placeholders(1, some.length)})`,
        ...some,
      )
      for (const row of rows) events.push(eventFrom(row))
    }
    return events.sort((a, b) => a.nid - b.nid)
  },
  { snapshot: true },
)

export const someMembers = query('state.someMembers', 'small', function* (room: number, limit: number): Sql<
  EventRow[]
> {
  const rows = yield* run(
    `SELECT ${EVENT_COLUMNS} FROM room_state s JOIN state_keys k ON k.nid = s.state_key
     JOIN events e ON e.nid = s.event
     WHERE s.room = ?1 AND s.branch = 0 AND k.type = 'm.room.member' ORDER BY s.state_key LIMIT ?2`,
    room,
    limit,
  )
  return rows.map(eventFrom)
})
