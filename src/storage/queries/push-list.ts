/** The list of a user's notifications over all rooms, newest first. */
import type { NotificationRow } from '#/ports/store/push.ts'
import { outcomeFor } from '#/protocol/push-rules/profile.ts'
import { type Row, run, type Sql } from '../sql/sql.ts'
import { readUpTo, type Standing, standingOf } from './push.ts'
import { query } from './query.ts'

interface Page {
  readonly rows: NotificationRow[]
  readonly next: number | undefined
}

/** A room of the user with its newest event that was not looked at. */
interface Head {
  readonly room: number
  readonly roomId: string
  newest: number
}

type RoomView = Pick<Standing, 'marks' | 'history'>

/** Events of one room looked at at a time. */
const STRIDE = 20

const SOURCES = {
  all: 'SELECT MAX(e.arrival) FROM events e WHERE e.room = m.room AND e.arrival < ?2',
  loud: `SELECT MAX(n.event) FROM (
      SELECT MAX(k.event) AS event FROM event_kinds k WHERE k.room = m.room AND k.loud = 1 AND k.event < ?2
      UNION ALL SELECT MAX(a.event) FROM push_actions a WHERE a.user_id = ?1 AND a.room = m.room
        AND a.highlight = 1 AND a.event < ?2) n`,
} as const

function* headsOf(user: string, before: number, source: keyof typeof SOURCES): Sql<Head[]> {
  const rows = yield* run(
    `SELECT m.room, r.room_id, (${SOURCES[source]}) AS newest FROM local_memberships m
     JOIN rooms r ON r.nid = m.room WHERE m.user_id = ?1 AND m.membership = 'join'`,
    user,
    before,
  )
  const heads: Head[] = []
  for (const row of rows) {
    if (row.newest === null || (row.newest as number) <= 0) continue
    heads.push({ room: row.room as number, roomId: row.room_id as string, newest: row.newest as number })
  }
  return heads
}

const COLUMNS = 'k.event, k.room, k.thread, k.kind, a.notify, a.highlight, a.actions'
const OWN_ACTION = `LEFT JOIN push_actions a ON a.user_id = ?1 AND a.room = k.room AND a.thread = k.thread
  AND a.event = k.event`
const REDACTED = `EXISTS (SELECT 1 FROM redacted_kinds d WHERE d.room = k.room AND d.thread = k.thread
  AND d.event = k.event)`

/** Events of a room from `upto` back, but for the user's own and redacted ones. */
function* stride(user: string, head: Head, onlyHighlights: boolean): Sql<Row[]> {
  if (!onlyHighlights) {
    return yield* run(
      `SELECT ${COLUMNS}, e.sender, CASE WHEN ${REDACTED} THEN 1 ELSE 0 END AS redacted FROM events e JOIN event_kinds k ON k.event = e.nid
       ${OWN_ACTION} WHERE e.room = ?2 AND e.arrival <= ?3 ORDER BY e.arrival DESC LIMIT ${STRIDE}`,
      user,
      head.room,
      head.newest,
    )
  }
  return yield* run(
    `SELECT ${COLUMNS}, e.sender, CASE WHEN ${REDACTED} THEN 1 ELSE 0 END AS redacted FROM event_kinds k JOIN events e ON e.nid = k.event
     ${OWN_ACTION} WHERE k.event IN (
       SELECT x.event FROM (SELECT l.event FROM event_kinds l WHERE l.room = ?2 AND l.loud = 1 AND l.event <= ?3
         ORDER BY l.event DESC LIMIT ${STRIDE}) x
       UNION SELECT y.event FROM (SELECT h.event FROM push_actions h WHERE h.user_id = ?1 AND h.room = ?2
         AND h.highlight = 1 AND h.event <= ?3 ORDER BY h.event DESC LIMIT ${STRIDE}) y)
     ORDER BY k.event DESC LIMIT ${STRIDE}`,
    user,
    head.room,
    head.newest,
  )
}

function notificationOf(row: Row, roomId: string, user: string, view: RoomView): NotificationRow | undefined {
  const event = row.event as number
  const kind = row.kind as number
  const thread = row.thread as string
  const single = row.actions !== null
  if (row.redacted === 1 || (row.sender === user && !single)) return undefined
  const { profile, room } = view.history.at(event - 1)
  const level = single ? (row.highlight as number) + (row.notify as number) : outcomeFor(kind, profile, room)
  if (level === 0) return undefined
  return {
    event,
    room: row.room as number,
    roomId,
    thread,
    kind,
    actions: row.actions as string | null,
    notify: true,
    highlight: level > 1,
    read: event <= readUpTo(view.marks, thread),
  }
}

/** Invitations: their rooms are not among those that the user is in. */
function* invitations(user: string, before: number, limit: number): Sql<NotificationRow[]> {
  const rows = yield* run(
    `SELECT a.event, a.room, r.room_id, a.thread, a.kind, a.notify, a.highlight, a.actions
     FROM local_memberships m JOIN push_actions a ON a.user_id = m.user_id AND a.room = m.room
     JOIN rooms r ON r.nid = m.room
     WHERE m.user_id = ?1 AND m.membership = 'invite' AND a.event = m.event AND a.event < ?2 AND a.notify = 1
     ORDER BY a.event DESC LIMIT ?3`,
    user,
    before,
    limit,
  )
  return rows.map((row) => ({
    event: row.event as number,
    room: row.room as number,
    roomId: row.room_id as string,
    thread: row.thread as string,
    kind: row.kind as number,
    actions: row.actions as string,
    notify: true,
    highlight: row.highlight === 1,
    read: false,
  }))
}

/* The rooms' events are merged by looking always at the room with the newest one. */
function* listOf(
  user: string,
  before: number,
  limit: number,
  scan: number,
  onlyHighlights: boolean,
): Sql<Page> {
  const invited = (yield* invitations(user, before, limit + 1)).filter(
    (row) => row.highlight || !onlyHighlights,
  )
  const heads = yield* headsOf(user, before, onlyHighlights ? 'loud' : 'all')
  const views = new Map<number, RoomView>()
  const found: NotificationRow[] = []
  let seen = 0
  let next: number | undefined
  for (;;) {
    heads.sort((a, b) => b.newest - a.newest)
    const head = heads[0]
    if (!head) break
    if (found.length > limit || seen >= scan) {
      next = head.newest + 1
      break
    }
    const other = heads[1]?.newest ?? 0
    const rows = yield* stride(user, head, onlyHighlights)
    let view = views.get(head.room)
    if (!view) {
      view = yield* standingOf(user, head.room, head.newest)
      views.set(head.room, view)
    }
    const joined = yield* joinedAt(user, head.room)
    const mine = rows.filter((row) => (row.event as number) > Math.max(other, joined))
    for (const row of mine) {
      const notification = notificationOf(row, head.roomId, user, view)
      if (notification && (notification.highlight || !onlyHighlights)) found.push(notification)
    }
    seen += rows.length
    const last = rows.at(-1)?.event as number | undefined
    const rest = mine.length < rows.length ? (rows[mine.length]!.event as number) : (last ?? 0) - 1
    if (rest <= joined || (mine.length === rows.length && rows.length < STRIDE)) heads.shift()
    else head.newest = rest
  }
  return pageOf([...found, ...invited], limit, next)
}

function* joinedAt(user: string, room: number): Sql<number> {
  const rows = yield* run(
    `SELECT event FROM own_marks WHERE user_id = ?1 AND room = ?2 AND thread = ''`,
    user,
    room,
  )
  return (rows[0]?.event as number | undefined) ?? 0
}

/** The newest of what was found; what lies behind the place where looking stopped is for the next page. */
function pageOf(found: readonly NotificationRow[], limit: number, stopped: number | undefined): Page {
  const sorted = found
    .filter((row) => stopped === undefined || row.event >= stopped)
    .sort((a, b) => b.event - a.event)
  const rows = sorted.slice(0, limit)
  const more = sorted.length > limit
  return { rows, next: more ? rows.at(-1)!.event : stopped }
}

export const notificationList = query(
  'push.notifications',
  'large',
  (user: string, before: number, limit: number, scan: number, onlyHighlights: boolean) =>
    listOf(user, before, limit, scan, onlyHighlights),
  { snapshot: true },
)
