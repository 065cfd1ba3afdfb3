/** Reading relations between events. */
import { StoreError } from '#/base/store-error.ts'
import type { EventRow } from '#/ports/store/events.ts'
import type {
  EditRow,
  ReferenceRow,
  RelatedBy,
  RelationPage,
  RelationPlace,
  RelationTarget,
  RelationTree,
  ThreadRow,
  ThreadSender,
} from '#/ports/store/relations.ts'
import { RELATION_TREE_ROWS_MAX } from '../limits.ts'
import { findAnnotation } from '../ops/relations.ts'
import { first, lists, placeholders, type Row, run, type Sql, type SqlValue } from '../sql/sql.ts'
import { EVENT_COLUMNS, eventFrom } from './events.ts'
import { query } from './query.ts'

/* In the queries below CROSS JOIN makes SQLite go from the target to its relations, never the other way. */

export const TARGET_COLUMNS = 't.nid, t.room, t.event_id, t.edits, t.refs, t.thread_count, t.thread_event'

export function targetFrom(row: Row): RelationTarget {
  return {
    nid: row.nid as number,
    eventId: row.event_id as string,
    edits: row.edits as number,
    references: row.refs as number,
    threadCount: row.thread_count as number,
    threadLatest: row.thread_event as number | null,
  }
}

export const relationTargets = query(
  'relations.targets',
  'small',
  function* (room: number, eventIds: readonly string[]): Sql<RelationTarget[]> {
    const found = new Map<number, RelationTarget>()
    for (const list of lists(eventIds)) {
      const rows = yield* run(
        `SELECT ${TARGET_COLUMNS} FROM relation_targets t
         WHERE room = ?1 AND event_id IN (${placeholders(2, list.length)})`,
        room,
        ...list,
      )
      for (const row of rows) found.set(row.nid as number, targetFrom(row))
    }
    return [...found.values()]
  },
)

export const relatedBy = query(
  'relations.relatedBy',
  'large',
  function* (room: number, eventIds: readonly string[], by: RelatedBy): Sql<string[]> {
    if (by.senders?.length === 0 || by.relTypes?.length === 0) return []
    const found = new Set<string>()
    for (const ids of lists(eventIds)) {
      const params: SqlValue[] = [room, ...ids]
      let only = ''
      for (const [column, values] of [
        ['sender', by.senders],
        ['rel_type', by.relTypes],
      ] as const) {
        const [list] = lists(values ?? [])
        if (!list) continue
        only += ` AND x.${column} IN (${placeholders(params.length + 1, list.length)})`
        params.push(...list)
      }
      const rows = yield* run(
        `SELECT t.event_id FROM relation_targets t WHERE t.room = ?1
           AND t.event_id IN (${placeholders(2, ids.length)})
           AND EXISTS (SELECT 1 FROM event_relations x WHERE x.target = t.nid${only})`,
        ...params,
      )
      for (const row of rows) found.add(row.event_id as string)
    }
    return [...found]
  },
)

/* The newest by time, then by id; x is a replacement of the original o, y its event. */
const NEWEST_EDITS = `FROM event_relations x CROSS JOIN events y
  WHERE x.target = t.nid AND x.rel_type = 'm.replace' AND x.sender = o.sender AND x.aggregated = 1
    AND y.nid = x.event AND y.type = o.type ORDER BY x.ts DESC, y.event_id DESC LIMIT`

export const relationEdits = query('relations.edits', 'small', function* (targets: readonly number[]): Sql<
  EditRow[]
> {
  const found = new Map<number, EditRow>()
  for (const list of lists(targets)) {
    const rows = yield* run(
      `SELECT t.nid AS target, ${EVENT_COLUMNS} FROM relation_targets t
       CROSS JOIN events o CROSS JOIN events e
       WHERE t.nid IN (${placeholders(1, list.length)}) AND o.event_id = t.event_id AND o.room = t.room
         AND o.redacted_by IS NULL AND o.state_key IS NULL AND e.nid = (SELECT x.event ${NEWEST_EDITS} 1)`,
      ...list,
    )
    for (const row of rows) {
      found.set(row.target as number, { target: row.target as number, event: eventFrom(row) })
    }
  }
  return [...found.values()]
})

export const relationEditsOf = query(
  'relations.editsOf',
  'small',
  function* (target: number, limit: number): Sql<EventRow[]> {
    const rows = yield* run(
      `SELECT ${EVENT_COLUMNS} FROM relation_targets t CROSS JOIN events o CROSS JOIN events e
       WHERE t.nid = ?1 AND o.event_id = t.event_id AND o.room = t.room AND o.redacted_by IS NULL
         AND o.state_key IS NULL AND e.nid IN (SELECT x.event ${NEWEST_EDITS} ?2)
       ORDER BY e.ts DESC, e.event_id DESC`,
      target,
      limit,
    )
    return rows.map(eventFrom)
  },
)

export const relationReferences = query(
  'relations.references',
  'small',
  function* (target: number, limit: number): Sql<ReferenceRow[]> {
    const rows = yield* run(
      `SELECT r.event, e.event_id, r.sender FROM event_relations r CROSS JOIN events e
       WHERE r.target = ?1 AND r.rel_type = 'm.reference' AND e.nid = r.event
       ORDER BY r.depth, r.arrival LIMIT ?2`,
      target,
      limit,
    )
    return rows.map((row) => ({
      event: row.event as number,
      eventId: row.event_id as string,
      sender: row.sender as string,
    }))
  },
)

export const threadsOf = query(
  'relations.threadsOf',
  'small',
  function* (user: string, targets: readonly number[]): Sql<number[]> {
    const found = new Set<number>()
    for (const list of lists(targets)) {
      const rows = yield* run(
        `SELECT t.nid FROM relation_targets t WHERE t.nid IN (${placeholders(2, list.length)})
         AND EXISTS (SELECT 1 FROM event_relations r
           WHERE r.target = t.nid AND r.rel_type = 'm.thread' AND r.sender = ?1)`,
        user,
        ...list,
      )
      for (const row of rows) found.add(row.nid as number)
    }
    return [...found]
  },
)

export const threadSenders = query(
  'relations.threadSenders',
  'large',
  function* (targets: readonly number[], senders: readonly string[]): Sql<ThreadSender[]> {
    const found: ThreadSender[] = []
    for (const target of targets) {
      for (const list of lists(senders)) {
        const rows = yield* run(
          `SELECT sender, COUNT(*) AS n FROM event_relations WHERE target = ?1 AND rel_type = 'm.thread'
           AND sender IN (${placeholders(2, list.length)}) GROUP BY sender`,
          target,
          ...list,
        )
        for (const row of rows) found.push({ target, sender: row.sender as string, count: row.n as number })
      }
    }
    return found
  },
)

export const threadCountUpTo = query(
  'relations.threadCountUpTo',
  'large',
  function* (target: number, { depth, arrival }: RelationPlace): Sql<number> {
    const row = yield* first(
      `SELECT COUNT(*) AS n FROM event_relations WHERE target = ?1 AND rel_type = 'm.thread'
       AND (depth, arrival) <= (?2, ?3)`,
      target,
      depth,
      arrival,
    )
    return row?.n as number
  },
)

/* What relates to another event is no root of a thread. */
export const threads = query(
  'relations.threads',
  'small',
  function* (room: number, from: RelationPlace | undefined, limit: number): Sql<ThreadRow[]> {
    const params: SqlValue[] = [room, limit]
    if (from) params.push(from.depth, from.arrival)
    const rows = yield* run(
      `SELECT t.nid AS target, t.thread_depth, t.thread_arrival, ${EVENT_COLUMNS}
       FROM relation_targets t CROSS JOIN events e
       WHERE t.room = ?1 AND t.thread_event IS NOT NULL AND e.event_id = t.event_id AND e.room = t.room
         AND e.arrival IS NOT NULL AND NOT EXISTS (SELECT 1 FROM event_relations r WHERE r.event = e.nid)
         ${from ? 'AND (t.thread_depth, t.thread_arrival) < (?3, ?4)' : ''}
       ORDER BY t.thread_depth DESC, t.thread_arrival DESC LIMIT ?2`,
      ...params,
    )
    return rows.map((row) => ({
      target: row.target as number,
      depth: row.thread_depth as number,
      arrival: row.thread_arrival as number,
      root: eventFrom(row),
    }))
  },
)

export const annotated = query(
  'relations.annotated',
  'small',
  (room: number, target: string, by: { type: string; sender: string; key: string }) =>
    findAnnotation(room, target, by),
)

/** The conditions of a page on relations `r`; values are added to `params`. */
function conditions({ relType, type, withoutEdits }: RelationPage, params: SqlValue[]): string {
  let text = withoutEdits ? ` AND r.rel_type <> 'm.replace'` : ''
  if (relType !== undefined) text += ` AND r.rel_type = ?${params.push(relType)}`
  if (type !== undefined) text += ` AND r.type = ?${params.push(type)}`
  return text
}

export const relationPage = query('relations.page', 'large', function* (page: RelationPage): Sql<EventRow[]> {
  const params: SqlValue[] = [page.room, page.target, page.limit]
  let where = conditions(page, params)
  const forward = page.dir === 'f'
  const bound = (at: RelationPlace | undefined, operator: string): string =>
    at ? ` AND (r.depth, r.arrival) ${operator} (?${params.push(at.depth)}, ?${params.push(at.arrival)})` : ''
  where += bound(page.from, forward ? '>=' : '<') + bound(page.to, forward ? '<' : '>=')
  const order = forward ? 'ASC' : 'DESC'
  const rows = yield* run(
    `SELECT ${EVENT_COLUMNS} FROM relation_targets t CROSS JOIN event_relations r CROSS JOIN events e
     WHERE t.room = ?1 AND t.event_id = ?2 AND r.target = t.nid AND e.nid = r.event${where}
     ORDER BY r.depth ${order}, r.arrival ${order} LIMIT ?3`,
    ...params,
  )
  return rows.map(eventFrom)
})

/** Relations of relations are gathered level by level, put in order, and the page cut from them. */
export const relationTree = query(
  'relations.tree',
  'large',
  function* (tree: RelationTree): Sql<number[]> {
    const found = new Map<number, RelationPlace>()
    const root = yield* first(
      'SELECT nid FROM relation_targets WHERE room = ?1 AND event_id = ?2',
      tree.room,
      tree.target,
    )
    let targets = root ? [root.nid as number] : []
    for (let level = 0; level < tree.levels && targets.length > 0; level++) {
      targets = yield* nextLevel(tree, targets, found)
    }
    const sign = tree.dir === 'f' ? 1 : -1
    return [...found]
      .filter(([, place]) => inside(tree, place))
      .sort(([, a], [, b]) => sign * compare(a, b))
      .slice(0, tree.limit)
      .map(([nid]) => nid)
  },
  { snapshot: true },
)

/** Adds what relates to `targets`; gives those of them that are targets themselves. */
function* nextLevel(
  page: RelationPage,
  targets: readonly number[],
  found: Map<number, RelationPlace>,
): Sql<number[]> {
  const next: number[] = []
  for (const list of lists(targets)) {
    const params: SqlValue[] = [page.room, RELATION_TREE_ROWS_MAX + 1 - found.size, ...list]
    const among = placeholders(3, list.length)
    const rows = yield* run(
      `SELECT r.event, r.depth, r.arrival, t.nid AS target FROM event_relations r CROSS JOIN events c
       LEFT JOIN relation_targets t ON t.room = ?1 AND t.event_id = c.event_id
       WHERE r.target IN (${among}) AND c.nid = r.event${conditions(page, params)} LIMIT ?2`,
      ...params,
    )
    for (const row of rows) {
      const nid = row.event as number
      if (found.has(nid)) continue
      found.set(nid, { depth: row.depth as number, arrival: row.arrival as number })
      if (row.target !== null) next.push(row.target as number)
    }
    if (found.size > RELATION_TREE_ROWS_MAX) {
      throw new StoreError('limit', `more than ${RELATION_TREE_ROWS_MAX} events relate to one`)
    }
  }
  return next
}

function compare(a: RelationPlace, b: RelationPlace): number {
  return a.depth - b.depth || a.arrival - b.arrival
}

function inside({ from, to, dir }: RelationPage, place: RelationPlace): boolean {
  const beyond = (at: RelationPlace): boolean => compare(place, at) >= 0
  const [low, high] = dir === 'f' ? [from, to] : [to, from]
  return (!low || beyond(low)) && (!high || !beyond(high))
}
