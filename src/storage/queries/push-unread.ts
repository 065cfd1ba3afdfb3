/** What a user has not read of some senders, for when they are ignored. */
import { MAIN_THREAD } from '#/protocol/push-rules/thread.ts'
import {
  SILENCED_EVENTS_MAX,
  SILENCED_SCAN_ALL_MAX,
  SILENCED_SCAN_MAX,
  SILENCED_SENDERS_MAX,
  THREADS_COUNTED_MAX,
} from '../limits.ts'
import { placeholders, run, type Sql } from '../sql/sql.ts'
import { readUpTo, standingOf } from './push.ts'
import { query } from './query.ts'

/** Rooms of the user in which one of the senders is, or was. */
function* sharedRooms(user: string, senders: readonly string[]): Sql<number[]> {
  const rows = yield* run(
    `SELECT m.room FROM local_memberships m WHERE m.user_id = ?1 AND m.membership = 'join'
       AND EXISTS (SELECT 1 FROM state_keys k JOIN room_state s ON s.state_key = k.nid AND s.branch = 0
         AND s.room = m.room WHERE k.type = 'm.room.member' AND k.state_key IN (${placeholders(2, senders.length)}))
     ORDER BY m.room DESC`,
    user,
    ...senders,
  )
  return rows.map((row) => row.room as number)
}

export const unreadOfSenders = query(
  'push.unreadOf',
  'large',
  function* (user: string, all: readonly string[]): Sql<number[]> {
    const senders = all.slice(0, SILENCED_SENDERS_MAX)
    if (senders.length === 0) return []
    const from = new Set<string>(senders)
    const found: number[] = []
    let left = SILENCED_SCAN_ALL_MAX
    for (const room of yield* sharedRooms(user, senders)) {
      const { marks } = yield* standingOf(user, room, Number.MAX_SAFE_INTEGER)
      const threads = yield* run(
        'SELECT thread FROM thread_news WHERE room = ?1 AND latest > ?2 ORDER BY latest DESC LIMIT ?3',
        room,
        marks.all,
        THREADS_COUNTED_MAX,
      )
      for (const thread of [MAIN_THREAD, ...threads.map((row) => row.thread as string)]) {
        const rows = yield* run(
          `SELECT k.event, e.sender FROM (SELECT event FROM event_kinds WHERE room = ?1 AND thread = ?2 AND event > ?3
             ORDER BY event DESC LIMIT ?4) k JOIN events e ON e.nid = k.event`,
          room,
          thread,
          readUpTo(marks, thread),
          SILENCED_SCAN_MAX,
        )
        left -= rows.length
        for (const row of rows) if (from.has(row.sender as string)) found.push(row.event as number)
        if (left <= 0 || found.length >= SILENCED_EVENTS_MAX) return found.slice(0, SILENCED_EVENTS_MAX)
      }
    }
    return found
  },
)
