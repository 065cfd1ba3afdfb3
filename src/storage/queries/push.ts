/** Reading notification counts, notifications and pushers. */
import type { PusherRow, PushUserRow, QueuedPushRow, RoomCounts, UnreadCount } from '#/ports/store/push.ts'
import { outcomeFor } from '#/protocol/push-rules/profile.ts'
import { MAIN_THREAD } from '#/protocol/push-rules/thread.ts'
import { THREADS_COUNTED_MAX } from '../limits.ts'
import { kindsBetween, NO_TOTALS } from '../sql/kind-totals.ts'
import { first, type Row, run, type Sql } from '../sql/sql.ts'
import { historyFrom, type ProfileHistory } from './push-profiles.ts'
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

/** Of rows with the name of a thread, '' for all, and the event up to which it was read. */
export function marksFrom(rows: readonly Row[]): ReadMarks {
  let all = 0
  const byThread = new Map<string, number>()
  for (const row of rows) {
    const thread = row.name as string
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

const TOTALS = `SELECT totals FROM event_kinds WHERE room = ?1 AND thread = ?2 AND event <= ?3
  ORDER BY event DESC LIMIT 1`

function* totalsAt({ room, thread }: Stretch, event: number): Sql<Uint8Array> {
  const row = event > 0 ? yield* first(TOTALS, room, thread, event) : undefined
  return (row?.totals as Uint8Array | undefined) ?? NO_TOTALS
}

/* One statement for all that decides about a stretch: each costs more to begin than to answer. */
const STRETCH = `SELECT 'before' AS what, 0 AS kind, 0 AS n, 0 AS notifications, 0 AS highlights, t.totals
    FROM (SELECT totals FROM event_kinds WHERE room = ?2 AND thread = ?3 AND event <= ?4
      ORDER BY event DESC LIMIT 1) t
  UNION ALL SELECT 'redacted', kind, COUNT(*), 0, 0, NULL FROM redacted_kinds
    WHERE room = ?2 AND thread = ?3 AND event > ?4 AND event <= ?5 GROUP BY kind
  UNION ALL SELECT 'single', kind, COUNT(*), SUM(notify), SUM(highlight), NULL FROM push_actions
    WHERE user_id = ?1 AND room = ?2 AND thread = ?3 AND event > ?4 AND event <= ?5 GROUP BY kind`

/** What is unread in a stretch of a thread under one profile; `totals` are those at its end. */
function* unreadUnder(
  { user, room, thread, after, upto }: Stretch,
  totals: Uint8Array,
  levelOf: (kind: number) => number,
): Sql<UnreadCount> {
  const rows = yield* run(STRETCH, user, room, thread, after, upto)
  const before = rows.find((row) => row.what === 'before')
  const others = rows.filter((row) => row !== before)
  return unreadOf((before?.totals as Uint8Array | undefined) ?? NO_TOTALS, totals, others, levelOf)
}

/**
 * What is unread between two totals of a thread. `rows` are what counts otherwise than the kind of the events: those
 * that were redacted and those with an outcome of their own, by kind.
 */
export function unreadOf(
  before: Uint8Array,
  totals: Uint8Array,
  rows: readonly Row[],
  levelOf: (kind: number) => number,
): UnreadCount {
  const kinds = kindsBetween(before, totals)
  let notifications = 0
  let highlights = 0
  for (const row of rows) {
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
  const kind = Number(row.kind)
  kinds.set(kind, (kinds.get(kind) ?? 0) - Number(row.n))
}

/**
 * What is unread in a thread, each event under the profile that held when it came; `newest` are its totals at the end
 * of the stretch, where they are known.
 */
function* unreadIn(stretch: Stretch, history: ProfileHistory, newest?: Uint8Array): Sql<UnreadCount> {
  let notifications = 0
  let highlights = 0
  for (const { after, upto, profile, room } of history.within(stretch.after, stretch.upto)) {
    const known = upto === stretch.upto ? newest : undefined
    const totals = known ?? (yield* totalsAt(stretch, upto))
    const part = yield* unreadUnder({ ...stretch, after, upto }, totals, (kind) =>
      outcomeFor(kind, profile, room),
    )
    notifications += part.notifications
    highlights += part.highlights
  }
  return { notifications, highlights }
}

/* As above: one statement. */
const STANDING = `SELECT 'newest' AS what, t.thread AS name, t.event AS event, t.totals AS totals, '' AS profile
    FROM (SELECT thread, event, totals FROM event_kinds WHERE room = ?2 AND thread = ?3 AND event <= ?4
      ORDER BY event DESC LIMIT 1) t
  UNION ALL SELECT 'mark', thread, event, NULL, '' FROM receipts WHERE room = ?2 AND user_id = ?1
  UNION ALL SELECT 'mark', thread, event, NULL, '' FROM own_marks WHERE user_id = ?1 AND room = ?2
  UNION ALL SELECT 'profile', room_id, since, NULL, profile FROM push_profiles WHERE user_id = ?1
    AND (room_id = '' OR room_id = (SELECT r.room_id FROM rooms r WHERE r.nid = ?2))
  UNION ALL SELECT 'thread', '', COALESCE(MAX(latest), 0), NULL, '' FROM thread_news WHERE room = ?2`

/** How a reader stands to a room. */
export interface Standing {
  readonly marks: ReadMarks
  readonly history: ProfileHistory
  /** The newest counted event of the main timeline up to a position, with the totals there; absent for none. */
  readonly newest: { readonly event: number; readonly totals: Uint8Array } | undefined
  /** The newest event of any thread; 0 for none. */
  readonly threadEvent: number
}

/** How far a user has read a room, under which rules, and what is the newest there to count, up to a position. */
export function* standingOf(user: string, room: number, upto: number): Sql<Standing> {
  const rows = yield* run(STANDING, user, room, MAIN_THREAD, upto)
  const of = (what: string): Row[] => rows.filter((row) => row.what === what)
  const [newest] = of('newest')
  return {
    marks: marksFrom(of('mark')),
    history: historyFrom(of('profile')),
    newest: newest && { event: newest.event as number, totals: newest.totals as Uint8Array },
    threadEvent: of('thread')[0]!.event as number,
  }
}

const THREADS = `SELECT thread, latest FROM thread_news WHERE room = ?1 AND latest > ?2
  ORDER BY latest DESC LIMIT ?3`

/**
 * The one function that derives counts from receipts: of each thread, the events behind the further of the thread's
 * and the unthreaded mark, each with the outcome of its kind under the user's profile of then, or its own where one
 * is kept.
 */
export function* countsOf(user: string, room: number, upto: number, overBefore?: number): Sql<RoomCounts> {
  const { marks, history, newest, threadEvent } = yield* standingOf(user, room, upto)
  /* What is over counts as read. */
  const over = overBefore === undefined ? 0 : yield* overUpTo(room, overBefore, upto)
  const stretchOf = (thread: string): Stretch => ({
    user,
    room,
    thread,
    after: Math.max(over, readUpTo(marks, thread)),
    upto,
  })
  const main = stretchOf(MAIN_THREAD)
  const isUnread = newest !== undefined && newest.event > main.after
  const allRead = Math.max(over, marks.all)
  const recent = threadEvent > allRead ? yield* run(THREADS, room, allRead, THREADS_COUNTED_MAX) : []
  const news = recent.filter((row) => (row.latest as number) > stretchOf(row.thread as string).after)
  const none = { notifications: 0, highlights: 0 }
  if (!isUnread && news.length === 0) return { room, main: none, threads: [] }
  const threads: (UnreadCount & { thread: string })[] = []
  for (const row of news) {
    const thread = row.thread as string
    const count = yield* unreadIn(stretchOf(thread), history)
    if (count.notifications > 0) threads.push({ thread, ...count })
  }
  const unread = isUnread ? yield* unreadIn(main, history, newest.totals) : none
  return { room, main: unread, threads }
}

/* The oldest event by its time of those that are not over; whatever came before it is. */
function* overUpTo(room: number, overBefore: number, upto: number): Sql<number> {
  const row = yield* first(
    `SELECT arrival FROM events WHERE room = ?1 AND arrival IS NOT NULL AND ts >= ?2
     ORDER BY ts, arrival LIMIT 1`,
    room,
    overBefore,
  )
  return row ? (row.arrival as number) - 1 : upto
}

export const pushCounts = query(
  'push.counts',
  'small',
  (user: string, room: number, upto: number, overBefore?: number) => countsOf(user, room, upto, overBefore),
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
