/** Reading notification counts, notifications and pushers. */
import type { PusherRow, PushUserRow, QueuedPushRow, RoomCounts, UnreadCount } from '#/ports/store/push.ts'
import { outcomeFor } from '#/protocol/push-rules/profile.ts'
import { MAIN_THREAD } from '#/protocol/push-rules/thread.ts'
import { THREADS_COUNTED_MAX } from '../limits.ts'
import { kindsBetween, NO_TOTALS } from '../sql/kind-totals.ts'
import { first, type Row, run, type Sql } from '../sql/sql.ts'
import { type ProfileHistory, profileSteps } from './push-profiles.ts'
import { query } from './query.ts'

function pushUserFrom(row: Row): PushUserRow {
  return { user: row.user_id as string, custom: row.custom === 1, pushers: row.pushers as number }
}

export const pushUser = query('push.user', 'small', function* (user: string): Sql<PushUserRow | undefined> {
  const row = yield* first('SELECT user_id, custom, pushers FROM push_users WHERE user_id = ?1', user)
  return row && pushUserFrom(row)
})

export const followersOf = query('push.followers', 'large', function* (room: number): Sql<PushUserRow[]> {
  const rows = yield* run(
    `SELECT p.user_id, p.custom, p.pushers FROM local_memberships m JOIN push_users p ON p.user_id = m.user_id
     WHERE m.room = ?1 AND m.membership = 'join'`,
    room,
  )
  return rows.map(pushUserFrom)
})

export const countedRooms = query('push.countedRooms', 'large', function* (after: number, limit: number): Sql<
  number[]
> {
  const rows = yield* run(
    `SELECT r.nid FROM rooms r WHERE r.nid > ?1
         AND EXISTS (SELECT 1 FROM event_kinds k WHERE k.room = r.nid) ORDER BY r.nid LIMIT ?2`,
    after,
    limit,
  )
  return rows.map((row) => row.nid as number)
})

export const threadOfEvent = query('push.threadOf', 'small', function* (event: number): Sql<
  string | undefined
> {
  const row = yield* first('SELECT thread FROM event_kinds WHERE event = ?1', event)
  return row?.thread as string | undefined
})

/** How far a user has read a room: by receipts, by sending, or because nothing before their join counts. */
export interface ReadMarks {
  /** For all threads. */
  readonly all: number
  readonly byThread: ReadonlyMap<string, number>
}

/** Where reading stands: the further of the unthreaded mark and the thread's own. */
export function readUpTo(marks: ReadMarks, thread: string): number {
  return Math.max(marks.all, marks.byThread.get(thread) ?? 0)
}

export function* readMarks(user: string, room: number): Sql<ReadMarks> {
  const rows = yield* run(
    `SELECT thread, event FROM receipts WHERE room = ?2 AND user_id = ?1
     UNION ALL SELECT thread, event FROM own_marks WHERE user_id = ?1 AND room = ?2`,
    user,
    room,
  )
  let all = 0
  const byThread = new Map<string, number>()
  for (const row of rows) {
    const thread = row.thread as string
    const event = row.event as number
    if (thread === '') all = Math.max(all, event)
    else byThread.set(thread, Math.max(byThread.get(thread) ?? 0, event))
  }
  return { all, byThread }
}

interface Stretch {
  readonly user: string
  readonly room: number
  readonly thread: string
  /** Exclusive. */
  readonly after: number
  /** Inclusive. */
  readonly upto: number
}

const TOTALS = `SELECT event, totals FROM event_kinds WHERE room = ?1 AND thread = ?2 AND event <= ?3
  ORDER BY event DESC LIMIT 1`

function* totalsAt({ room, thread }: Stretch, event: number): Sql<{ event: number; totals: Uint8Array }> {
  const row = event > 0 ? yield* first(TOTALS, room, thread, event) : undefined
  return row
    ? { event: row.event as number, totals: row.totals as Uint8Array }
    : { event: 0, totals: NO_TOTALS }
}

/** What is unread in a stretch of a thread under one profile. */
function* unreadUnder(stretch: Stretch, levelOf: (kind: number) => number): Sql<UnreadCount> {
  const { user, room, thread, after, upto } = stretch
  const from = yield* totalsAt(stretch, after)
  const to = yield* totalsAt(stretch, upto)
  const kinds = kindsBetween(from.totals, to.totals)
  if (kinds.size === 0) return { notifications: 0, highlights: 0 }
  const redacted = yield* run(
    `SELECT kind, COUNT(*) AS n FROM redacted_kinds WHERE room = ?1 AND thread = ?2 AND event > ?3 AND event <= ?4
     GROUP BY kind`,
    room,
    thread,
    after,
    upto,
  )
  for (const row of redacted) take(kinds, row)
  const single = yield* run(
    `SELECT kind, COUNT(*) AS n, SUM(notify) AS notifications, SUM(highlight) AS highlights FROM push_actions
     WHERE user_id = ?1 AND room = ?2 AND thread = ?3 AND event > ?4 AND event <= ?5 GROUP BY kind`,
    user,
    room,
    thread,
    after,
    upto,
  )
  let notifications = 0
  let highlights = 0
  for (const row of single) {
    take(kinds, row)
    notifications += Number(row.notifications)
    highlights += Number(row.highlights)
  }
  for (const [kind, count] of kinds) {
    const level = levelOf(kind)
    if (level > 0) notifications += count
    if (level > 1) highlights += count
  }
  return { notifications, highlights }
}

function take(kinds: Map<number, number>, row: Row): void {
  const kind = row.kind as number
  kinds.set(kind, (kinds.get(kind) ?? 0) - Number(row.n))
}

/** What is unread in a thread, each event under the profile that held when it came. */
function* unreadIn(stretch: Stretch, history: ProfileHistory): Sql<UnreadCount> {
  let notifications = 0
  let highlights = 0
  for (const { after, upto, profile, room } of history.within(stretch.after, stretch.upto)) {
    const part = yield* unreadUnder({ ...stretch, after, upto }, (kind) => outcomeFor(kind, profile, room))
    notifications += part.notifications
    highlights += part.highlights
  }
  return { notifications, highlights }
}

/**
 * The one function that derives counts from receipts: of each thread, the events behind the further of the thread's
 * and the unthreaded mark, each with the outcome of its kind under the user's profile of then, or its own where one
 * is kept.
 */
function* countsOf(user: string, room: number, upto: number): Sql<RoomCounts> {
  const marks = yield* readMarks(user, room)
  const threads: (UnreadCount & { thread: string })[] = []
  const news = yield* run(
    'SELECT thread, latest FROM thread_news WHERE room = ?1 AND latest > ?2 ORDER BY latest DESC LIMIT ?3',
    room,
    marks.all,
    THREADS_COUNTED_MAX,
  )
  const stretchOf = (thread: string): Stretch => ({
    user,
    room,
    thread,
    after: readUpTo(marks, thread),
    upto,
  })
  const main = stretchOf(MAIN_THREAD)
  const newest = yield* totalsAt(main, upto)
  const unread = news.filter((row) => (row.latest as number) > readUpTo(marks, row.thread as string))
  const none = { notifications: 0, highlights: 0 }
  if (newest.event <= main.after && unread.length === 0) return { room, main: none, threads }
  const history = yield* profileSteps(user, room)
  for (const row of unread) {
    const thread = row.thread as string
    const count = yield* unreadIn(stretchOf(thread), history)
    if (count.notifications > 0) threads.push({ thread, ...count })
  }
  return { room, main: newest.event > main.after ? yield* unreadIn(main, history) : none, threads }
}

export const pushCounts = query('push.counts', 'small', (user: string, room: number, upto: number) =>
  countsOf(user, room, upto),
)

export const pushCountsOfRooms = query(
  'push.countsOfRooms',
  'large',
  function* (user: string, rooms: readonly number[], upto: number): Sql<RoomCounts[]> {
    const counts: RoomCounts[] = []
    for (const room of rooms) counts.push(yield* countsOf(user, room, upto))
    return counts
  },
)

function pusherFrom(row: Row): PusherRow {
  return {
    user: row.user_id as string,
    appId: row.app_id as string,
    pushkey: row.pushkey as string,
    kind: row.kind as string,
    device: row.device_id as string,
    data: row.data as string,
    ts: row.ts as number,
  }
}

export const pushersOf = query('push.pushers', 'small', function* (user: string): Sql<PusherRow[]> {
  const rows = yield* run(
    `SELECT user_id, app_id, pushkey, kind, device_id, ts, data FROM pushers WHERE user_id = ?1
     ORDER BY app_id, pushkey`,
    user,
  )
  return rows.map(pusherFrom)
})

export const queuedPushes = query(
  'push.queued',
  'small',
  function* (
    user: string,
    appId: string,
    pushkey: string,
    after: number,
    limit: number,
  ): Sql<QueuedPushRow[]> {
    const rows = yield* run(
      `SELECT user_id, app_id, pushkey, seq, event, actions FROM push_queue
       WHERE user_id = ?1 AND app_id = ?2 AND pushkey = ?3 AND seq > ?4 ORDER BY seq LIMIT ?5`,
      user,
      appId,
      pushkey,
      after,
      limit,
    )
    return rows.map((row) => ({
      user: row.user_id as string,
      appId: row.app_id as string,
      pushkey: row.pushkey as string,
      seq: row.seq as number,
      event: row.event as number,
      actions: row.actions as string,
    }))
  },
)
