/** Reading events. */
import type { EventRow, TimelinePage, TimePage, TopologicalPage, TxnRow } from '#/ports/store/events.ts'
import { findTxn, txnHash } from '../ops/events.ts'
import { first, lists, placeholders, type Row, run, type Sql, type SqlValue } from '../sql/sql.ts'
import { query } from './query.ts'

export const EVENT_COLUMNS = `e.nid, e.room, e.event_id, e.type, e.state_key, e.sender, e.ts, e.depth, e.arrival,
  e.flags, e.rejected_rule, e.redacted_by, e.json`

export function eventFrom(row: Row): EventRow {
  return {
    nid: row.nid as number,
    room: row.room as number,
    eventId: row.event_id as string,
    type: row.type as string,
    stateKey: row.state_key as string | null,
    sender: row.sender as string,
    ts: row.ts as number,
    depth: row.depth as number,
    arrival: row.arrival as number | null,
    flags: row.flags as number,
    rejectedRule: row.rejected_rule as string | null,
    redactedBy: row.redacted_by as number | null,
    json: row.json as string,
  }
}

export const eventById = query('events.byId', 'small', function* (id: string): Sql<EventRow | undefined> {
  const row = yield* first(`SELECT ${EVENT_COLUMNS} FROM events e WHERE e.event_id = ?1`, id)
  return row && eventFrom(row)
})

/** Events by row id or event id, in no order; unknown ones are left out. */
export function* eventsWhere(column: 'nid' | 'event_id', values: readonly SqlValue[]): Sql<EventRow[]> {
  const events = new Map<number, EventRow>()
  for (const list of lists(values)) {
    const among = placeholders(1, list.length)
    const rows = yield* run(`SELECT ${EVENT_COLUMNS} FROM events e WHERE e.${column} IN (${among})`, ...list)
    for (const row of rows) events.set(row.nid as number, eventFrom(row))
  }
  return [...events.values()]
}

export const eventsByIds = query('events.byIds', 'small', (ids: readonly string[]) =>
  eventsWhere('event_id', ids),
)

export const eventsByNids = query('events.byNids', 'small', (nids: readonly number[]) =>
  eventsWhere('nid', nids),
)

export const timeline = query('events.timeline', 'small', function* (page: TimelinePage): Sql<EventRow[]> {
  const rows = yield* run(
    `SELECT ${EVENT_COLUMNS} FROM events e WHERE e.room = ?1 AND e.arrival > ?2 AND e.arrival <= ?3
     ORDER BY e.arrival ${page.dir === 'f' ? 'ASC' : 'DESC'} LIMIT ?4`,
    page.room,
    page.after,
    page.upto,
    page.limit,
  )
  return rows.map(eventFrom)
})

export const topological = query('events.topological', 'small', function* (page: TopologicalPage): Sql<
  EventRow[]
> {
  const params: SqlValue[] = [page.room]
  const bound = (at: { depth: number; arrival: number } | undefined, operator: string) => {
    if (!at) return ''
    params.push(at.depth, at.arrival)
    return ` AND (e.depth, e.arrival) ${operator} (?${params.length - 1}, ?${params.length})`
  }
  const forward = page.dir === 'f'
  const where = bound(page.from, forward ? '>=' : '<') + bound(page.to, forward ? '<' : '>=')
  params.push(page.limit)
  const order = forward ? 'ASC' : 'DESC'
  const rows = yield* run(
    `SELECT ${EVENT_COLUMNS} FROM events e WHERE e.room = ?1 AND e.arrival IS NOT NULL${where}
     ORDER BY e.depth ${order}, e.arrival ${order} LIMIT ?${params.length}`,
    ...params,
  )
  return rows.map(eventFrom)
})

export const eventsByTime = query('events.byTime', 'small', function* (page: TimePage): Sql<EventRow[]> {
  const { room, from, dir, limit } = page
  const forward = dir === 'f'
  const order = forward ? 'ASC' : 'DESC'
  const edge = forward ? -Number.MAX_SAFE_INTEGER : Number.MAX_SAFE_INTEGER
  const rows = yield* run(
    `SELECT ${EVENT_COLUMNS} FROM events e WHERE e.room = ?1 AND e.arrival IS NOT NULL
       AND (e.ts, e.arrival) ${forward ? '>' : '<'} (?2, ?3) ORDER BY e.ts ${order}, e.arrival ${order} LIMIT ?4`,
    room,
    from.ts,
    from.arrival ?? edge,
    limit,
  )
  return rows.map(eventFrom)
})

export const eventStream = query(
  'events.stream',
  'small',
  function* (after: number, upto: number, limit: number): Sql<EventRow[]> {
    const rows = yield* run(
      `SELECT ${EVENT_COLUMNS} FROM events e WHERE e.nid > ?1 AND e.nid <= ?2 AND e.arrival IS NOT NULL
     ORDER BY e.nid LIMIT ?3`,
      after,
      upto,
      limit,
    )
    return rows.map(eventFrom)
  },
)

export const roomsWithNews = query(
  'events.roomsWithNews',
  'large',
  function* (after: number, upto: number): Sql<number[]> {
    const rows = yield* run(
      'SELECT DISTINCT room FROM events WHERE nid > ?1 AND nid <= ?2 AND arrival IS NOT NULL',
      after,
      upto,
    )
    return rows.map((row) => row.room as number)
  },
)

export const txnsOf = query(
  'events.txnsOf',
  'small',
  function* (user: string, device: string, nids: readonly number[]): Sql<TxnRow[]> {
    if (nids.length === 0) return []
    const rows = yield* run(
      `SELECT t.event, t.txn_id FROM event_txns t JOIN events e ON e.nid = t.event
     WHERE t.device = ?1 AND e.sender = ?2 AND t.event IN (${placeholders(3, nids.length)})`,
      device,
      user,
      ...nids,
    )
    return rows.map((row) => ({ event: row.event as number, txnId: row.txn_id as string }))
  },
)

export const eventByTxn = query(
  'events.byTxn',
  'small',
  (user: string, device: string, scope: string, txnId: string) =>
    findTxn(user, device, txnHash(user, device, scope, txnId), txnId),
)
