/** Notification counts of one user in many rooms at once. */
import type { RoomCounts, UnreadCount } from '#/ports/store/push.ts'
import { outcomeFor } from '#/protocol/push-rules/profile.ts'
import { MAIN_THREAD } from '#/protocol/push-rules/thread.ts'
import { NO_TOTALS } from '../sql/kind-totals.ts'
import { exactLists, integers, placeholders, type Row, run, type Sql } from '../sql/sql.ts'
import { countsOf, marksFrom, unreadOf } from './push.ts'
import { historyFrom } from './push-profiles.ts'
import { query } from './query.ts'

const NOTHING: UnreadCount = { notifications: 0, highlights: 0 }

/**
 * Most rooms are read to their end, or have some messages in the main thread under one profile: those are answered
 * together. The others take the long way, one by one.
 */
export const pushCountsOfRooms = query(
  'push.countsOfRooms',
  'large',
  function* (user: string, rooms: readonly number[], upto: number): Sql<RoomCounts[]> {
    const counts = new Map<number, RoomCounts>()
    for (const list of exactLists([...new Set(rooms)])) {
      for (const count of yield* countsOfList(user, list, upto)) counts.set(count.room, count)
    }
    return rooms.map((room) => counts.get(room)!)
  },
)

/** What is unread in the main thread of a room: behind `after`, up to the event `newest`. */
interface Open {
  readonly room: number
  readonly after: number
  readonly newest: number
}

function* countsOfList(user: string, rooms: readonly number[], upto: number): Sql<RoomCounts[]> {
  const { newest, marks, threads } = yield* standingOf(user, rooms, upto)
  const counts: RoomCounts[] = []
  const open: Open[] = []
  for (const room of rooms) {
    const read = marksFrom(marks.get(room) ?? [])
    const after = Math.max(read.all, read.byThread.get(MAIN_THREAD) ?? 0)
    if ((threads.get(room) ?? 0) > read.all) counts.push((yield* countsOf(user, room, upto)).counts)
    else if ((newest.get(room) ?? 0) <= after) counts.push({ room, main: NOTHING, threads: [] })
    else open.push({ room, after, newest: newest.get(room)! })
  }
  for (const list of exactLists(open)) counts.push(...(yield* countsOfOpen(user, list, upto)))
  return counts
}

interface Standing {
  /** Newest counted event of each room's main thread. */
  readonly newest: ReadonlyMap<number, number>
  /** How far the user has read each room. */
  readonly marks: ReadonlyMap<number, Row[]>
  /** Newest event of any other thread. */
  readonly threads: ReadonlyMap<number, number>
}

function* standingOf(user: string, rooms: readonly number[], upto: number): Sql<Standing> {
  const newest = yield* run(
    `SELECT v.column1 AS room,
       (SELECT MAX(k.event) FROM event_kinds k WHERE k.room = v.column1 AND k.thread = ?1 AND k.event <= ?2) AS newest
     FROM (VALUES ${integers(3, rooms.length, 1)}) AS v`,
    MAIN_THREAD,
    upto,
    ...rooms,
  )
  const among = placeholders(2, rooms.length)
  const marks = yield* run(
    `SELECT room, thread AS name, event FROM receipts WHERE user_id = ?1 AND room IN (${among})
     UNION ALL SELECT room, thread, event FROM own_marks WHERE user_id = ?1 AND room IN (${among})`,
    user,
    ...rooms,
  )
  const threads = yield* run(
    `SELECT room, MAX(latest) AS newest FROM thread_news WHERE room IN (${placeholders(1, rooms.length)}) GROUP BY room`,
    ...rooms,
  )
  const byRoom = (rows: readonly Row[]): Map<number, number> =>
    new Map(rows.map((row) => [row.room as number, (row.newest as number | null) ?? 0]))
  return { newest: byRoom(newest), marks: groupByRoom(marks), threads: byRoom(threads) }
}

const groupByRoom = (rows: readonly Row[]): Map<number, Row[]> =>
  Map.groupBy(rows, (row) => row.room as number)

const STRETCHES = (count: number): string => `(VALUES ${integers(3, count, 3)}) AS v`
const INSIDE = `s.room = v.column1 AND s.thread = ?1 AND s.event > v.column2 AND s.event <= ?2`

function* countsOfOpen(user: string, open: readonly Open[], upto: number): Sql<RoomCounts[]> {
  const stretches = STRETCHES(open.length)
  const values = open.flatMap(({ room, after, newest }) => [room, after, newest])
  const totals = yield* run(
    `SELECT v.column1 AS room, (SELECT n.totals FROM event_kinds n WHERE n.event = v.column3) AS newest,
       (SELECT b.totals FROM event_kinds b WHERE b.room = v.column1 AND b.thread = ?1 AND b.event <= v.column2
          AND b.event <= ?2 ORDER BY b.event DESC LIMIT 1) AS before
     FROM ${stretches}`,
    MAIN_THREAD,
    upto,
    ...values,
  )
  const redacted = yield* run(
    `SELECT v.column1 AS room, s.kind, COUNT(*) AS n, 0 AS notifications, 0 AS highlights
     FROM ${stretches} CROSS JOIN redacted_kinds s WHERE ${INSIDE} GROUP BY v.column1, s.kind`,
    MAIN_THREAD,
    upto,
    ...values,
  )
  const after = 3 + values.length
  const single = yield* run(
    `SELECT v.column1 AS room, s.kind, COUNT(*) AS n, SUM(s.notify) AS notifications, SUM(s.highlight) AS highlights
     FROM ${stretches} CROSS JOIN push_actions s WHERE s.user_id = ?${after} AND ${INSIDE} GROUP BY v.column1, s.kind`,
    MAIN_THREAD,
    upto,
    ...values,
    user,
  )
  const profiles = yield* profilesOf(
    user,
    open.map(({ room }) => room),
  )
  const ends = new Map(totals.map((row) => [row.room as number, row]))
  const odd = groupByRoom([...redacted, ...single])
  const counts: RoomCounts[] = []
  for (const { room, after } of open) {
    const history = historyFrom([...profiles.all, ...(profiles.byRoom.get(room) ?? [])])
    const [part, ...more] = history.within(after, upto)
    if (!part || more.length > 0) {
      counts.push((yield* countsOf(user, room, upto)).counts)
      continue
    }
    const end = ends.get(room)!
    const before = (end.before as Uint8Array | null) ?? NO_TOTALS
    const main = unreadOf(before, end.newest as Uint8Array, odd.get(room) ?? [], (kind) =>
      outcomeFor(kind, part.profile, part.room),
    )
    counts.push({ room, main, threads: [] })
  }
  return counts
}

/** Steps of the user's profile for all rooms, and for some. */
function* profilesOf(
  user: string,
  rooms: readonly number[],
): Sql<{ readonly all: Row[]; readonly byRoom: ReadonlyMap<number, Row[]> }> {
  const all = yield* run(
    `SELECT room_id AS name, since AS event, profile FROM push_profiles WHERE user_id = ?1 AND room_id = ''`,
    user,
  )
  const single = yield* run(
    `SELECT r.nid AS room, p.room_id AS name, p.since AS event, p.profile FROM rooms r CROSS JOIN push_profiles p
     WHERE r.nid IN (${placeholders(2, rooms.length)}) AND p.user_id = ?1 AND p.room_id = r.room_id`,
    user,
    ...rooms,
  )
  return { all, byRoom: groupByRoom(single) }
}
