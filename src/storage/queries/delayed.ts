/** Reading delayed events. */
import type { DelayedRow } from '#/ports/store/delayed.ts'
import { first, type Row, run, type Sql } from '../sql/sql.ts'
import { query } from './query.ts'

const DELAYED = `SELECT d.delay_id, d.user_id, d.device_id, d.room, r.room_id, d.type, d.state_key, d.content,
  d.delay_ms, d.since_ts FROM delayed_events d JOIN rooms r ON r.nid = d.room`

function delayedFrom(row: Row): DelayedRow {
  return {
    delayId: row.delay_id as string,
    user: row.user_id as string,
    device: row.device_id as string,
    room: row.room as number,
    roomId: row.room_id as string,
    type: row.type as string,
    stateKey: row.state_key as string | null,
    content: row.content as string,
    delayMs: row.delay_ms as number,
    sinceTs: row.since_ts as number,
  }
}

export const delayedById = query('delayed.byId', 'small', function* (delayId: string): Sql<
  DelayedRow | undefined
> {
  const row = yield* first(`${DELAYED} WHERE d.delay_id = ?1`, delayId)
  return row && delayedFrom(row)
})

export const delayedOfUser = query('delayed.ofUser', 'small', function* (user: string): Sql<DelayedRow[]> {
  const rows = yield* run(
    `${DELAYED} WHERE d.user_id = ?1 ORDER BY d.since_ts + d.delay_ms, d.delay_id`,
    user,
  )
  return rows.map(delayedFrom)
})
