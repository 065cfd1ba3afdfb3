/** Reading subscriptions of threads. */
import type { ThreadSubscriptionRow } from '#/ports/store/thread-subscriptions.ts'
import { first, type Row, run, type Sql } from '../sql/sql.ts'
import { query } from './query.ts'

const SUBSCRIPTION = `SELECT s.room, r.room_id, s.root, s.pos, s.subscribed, s.automatic
  FROM thread_subscriptions s JOIN rooms r ON r.nid = s.room`

function subscriptionFrom(row: Row): ThreadSubscriptionRow {
  return {
    room: row.room as number,
    roomId: row.room_id as string,
    root: row.root as string,
    subscribed: row.subscribed === 1,
    automatic: row.automatic === 1,
    position: row.pos as number,
  }
}

export const threadSubscription = query(
  'threadSubscriptions.get',
  'small',
  function* (user: string, room: number, root: string): Sql<ThreadSubscriptionRow | undefined> {
    const row = yield* first(
      `${SUBSCRIPTION} WHERE s.user_id = ?1 AND s.room = ?2 AND s.root = ?3`,
      user,
      room,
      root,
    )
    return row && subscriptionFrom(row)
  },
)

export const threadSubscriptionsSince = query(
  'threadSubscriptions.since',
  'large',
  function* (user: string, after: number, upto: number, limit: number): Sql<ThreadSubscriptionRow[]> {
    const rows = yield* run(
      `${SUBSCRIPTION} WHERE s.user_id = ?1 AND s.pos > ?2 AND s.pos <= ?3 ORDER BY s.pos DESC LIMIT ?4`,
      user,
      after,
      upto,
      limit,
    )
    return rows.map(subscriptionFrom)
  },
)
