/** Reading room state: a few keys, all of it, at a point, and the difference of two points. */
import type { EventRow } from '#/ports/store/events.ts'
import type { Replaced, StateDifference, StatePoint } from '#/ports/store/state.ts'
import { first, lists, pairs, placeholders, type Row, run, type Sql } from '../sql/sql.ts'
import type { Delta } from '../sql/state-codec.ts'
import { EVENT_COLUMNS, eventFrom } from './events.ts'
import { eventNidsAt } from './full-state.ts'
import { query } from './query.ts'
import { deltasBetween, heldMany, lineage, rowAt } from './state-walk.ts'

type Keys = readonly (readonly [string, string])[]

/* In the queries below CROSS JOIN makes SQLite go from the few given keys to the rows, never the other way. */

/** One row per event, whatever a filled-up list asked for twice. */
function distinctEvents(rows: readonly Row[], into: Map<number, EventRow>): void {
  for (const row of rows) into.set(row.nid as number, eventFrom(row))
}

export const currentState = query('state.current', 'small', function* (room: number, keys: Keys): Sql<
  EventRow[]
> {
  const events = new Map<number, EventRow>()
  for (const list of lists(keys)) {
    const rows = yield* run(
      `SELECT ${EVENT_COLUMNS} FROM (VALUES ${pairs(2, list.length)}) AS v CROSS JOIN state_keys k
       CROSS JOIN room_state s CROSS JOIN events e
       WHERE k.type = v.column1 AND k.state_key = v.column2
         AND s.room = ?1 AND s.branch = 0 AND s.state_key = k.nid AND e.nid = s.event`,
      room,
      ...list.flat(),
    )
    distinctEvents(rows, events)
  }
  return [...events.values()]
})

export const currentStateAll = query(
  'state.currentAll',
  'large',
  function* (room: number, type: string | undefined): Sql<EventRow[]> {
    const rows = yield* run(
      `SELECT ${EVENT_COLUMNS} FROM room_state s JOIN events e ON e.nid = s.event
     WHERE s.room = ?1 AND s.branch = 0${type === undefined ? '' : ' AND e.type = ?2'}`,
      ...(type === undefined ? [room] : [room, type]),
    )
    return rows.map(eventFrom)
  },
)

/* A tail that has just become a chunk is gone until the next change. */
export const lastChange = query('state.lastChange', 'small', function* (room: number): Sql<number> {
  const row = yield* first(
    `SELECT COALESCE(
       (SELECT upto FROM state_delta_tails WHERE room = ?1 AND branch = 0),
       (SELECT MAX(upto) FROM state_delta_chunks WHERE room = ?1 AND branch = 0)) AS upto`,
    room,
  )
  return (row?.upto as number | null | undefined) ?? 0
})

export const pointBefore = query('state.pointBefore', 'small', function* (nid: number): Sql<
  StatePoint | undefined
> {
  const row = yield* first('SELECT state_branch, state_pos FROM events WHERE nid = ?1', nid)
  if (!row) return undefined
  if (row.state_branch !== null) return { branch: row.state_branch as number, pos: row.state_pos as number }
  /* On the main line nothing is stored: the state before an event is that of the position before its own. */
  return { branch: 0, pos: nid - 1 }
})

export const pointsBefore = query('state.pointsBefore', 'small', function* (nids: readonly number[]): Sql<
  StatePoint[]
> {
  const branched = new Map<number, StatePoint>()
  for (const list of lists(nids)) {
    const rows = yield* run(
      `SELECT nid, state_branch, state_pos FROM events
       WHERE nid IN (${placeholders(1, list.length)}) AND state_branch IS NOT NULL`,
      ...list,
    )
    for (const row of rows) {
      branched.set(row.nid as number, { branch: row.state_branch as number, pos: row.state_pos as number })
    }
  }
  return nids.map((nid) => branched.get(nid) ?? { branch: 0, pos: nid - 1 })
})

export const stateReplaced = query(
  'state.replaced',
  'small',
  function* (nids: readonly number[]): Sql<Replaced[]> {
    const before = new Map<number, number>()
    for (const list of lists(nids)) {
      const rows = yield* run(
        `SELECT e.nid AS by_event, e.room, e.state_branch, e.state_pos, k.nid AS state_key,
           s.event, s.pos, s.older, s.spilled
         FROM events e CROSS JOIN state_keys k
         LEFT JOIN room_state s ON s.room = e.room AND s.branch = 0 AND s.state_key = k.nid
         WHERE e.nid IN (${placeholders(1, list.length)}) AND k.type = e.type AND k.state_key = e.state_key
           AND (e.state_branch IS NOT NULL OR s.pos < e.nid OR s.older IS NOT NULL OR s.spilled > 0)`,
        ...list,
      )
      for (const row of rows) before.set(row.by_event as number, yield* heldBefore(row))
    }
    const events = new Map<number, EventRow>()
    for (const list of lists([...new Set(before.values())].filter((nid) => nid !== 0))) {
      const rows = yield* run(
        `SELECT ${EVENT_COLUMNS} FROM events e WHERE e.nid IN (${placeholders(1, list.length)})`,
        ...list,
      )
      distinctEvents(rows, events)
    }
    return [...before].flatMap(([by, nid]) => {
      const event = events.get(nid)
      return event ? [{ by, event }] : []
    })
  },
  { snapshot: true },
)

/** Row id of what held an event's key before it, or 0, from the event's place and the key's row on the main line. */
function* heldBefore(row: Row): Sql<number> {
  const [room, key, by] = [row.room as number, row.state_key as number, row.by_event as number]
  if (row.state_branch !== null) {
    const point = { branch: row.state_branch as number, pos: row.state_pos as number }
    return (yield* heldMany(room, point, [key])).get(key) ?? 0
  }
  /* As in `pointBefore`: the state at the position before its own. */
  return (row.event !== null && (yield* rowAt(room, 0, row, by - 1))) || 0
}

export const anyBranched = query(
  'state.anyBranched',
  'small',
  function* (nids: readonly number[]): Sql<boolean> {
    for (const list of lists(nids)) {
      const row = yield* first(
        `SELECT nid FROM events WHERE nid IN (${placeholders(1, list.length)}) AND state_branch IS NOT NULL LIMIT 1`,
        ...list,
      )
      if (row) return true
    }
    return false
  },
)

export const stateAt = query(
  'state.at',
  'small',
  function* (room: number, point: StatePoint, keys: Keys): Sql<EventRow[]> {
    const nids = new Set<number>()
    for (const list of lists(keys)) {
      const rows = yield* run(
        `SELECT k.nid FROM (VALUES ${pairs(1, list.length)}) AS v CROSS JOIN state_keys k
         WHERE k.type = v.column1 AND k.state_key = v.column2`,
        ...list.flat(),
      )
      for (const row of rows) nids.add(row.nid as number)
    }
    const held = [...(yield* heldMany(room, point, [...nids])).values()].filter((event) => event !== 0)
    const events = new Map<number, EventRow>()
    for (const list of lists(held)) {
      const rows = yield* run(
        `SELECT ${EVENT_COLUMNS} FROM events e WHERE e.nid IN (${placeholders(1, list.length)})`,
        ...list,
      )
      distinctEvents(rows, events)
    }
    return [...events.values()]
  },
  { snapshot: true },
)

/** Some events in their order, but those of a type. */
export function eventsExcept(nids: readonly number[], exceptType: string | undefined): Sql<Row[]> {
  return run(
    `SELECT ${EVENT_COLUMNS} FROM events e WHERE e.nid IN (${placeholders(2, nids.length)}) AND e.type <> ?1
     ORDER BY e.nid`,
    exceptType ?? '',
    ...nids,
  )
}

export const stateEventsAt = query(
  'state.eventsAt',
  'large',
  function* (room: number, point: StatePoint, exceptType: string | undefined): Sql<EventRow[]> {
    const nids = (yield* eventNidsAt(room, point)).sort((a, b) => a - b)
    const events = new Map<number, EventRow>()
    for (const list of lists(nids)) {
      distinctEvents(yield* eventsExcept(list, exceptType), events)
    }
    return [...events.values()]
  },
  { snapshot: true },
)

/** The first member events of a room; of so many members at most that a large room costs no more than these. */
export const someMembersText = (room: string, after: string, limit: string): string =>
  `${EVENT_COLUMNS} FROM (
     SELECT s.event FROM room_state s JOIN state_keys k ON k.nid = s.state_key
     WHERE s.room = ${room} AND s.branch = 0 AND k.type = 'm.room.member' ORDER BY s.state_key LIMIT ${MEMBERS_ORDERED_MAX}
   ) AS m JOIN events e ON e.nid = m.event WHERE e.nid > ${after} ORDER BY e.nid LIMIT ${limit}`

/** Members of a room that are put in order to find the first of them. */
const MEMBERS_ORDERED_MAX = 1000

export const someMembers = query(
  'state.someMembers',
  'small',
  function* (room: number, limit: number, after: number): Sql<EventRow[]> {
    const rows = yield* run(`SELECT ${someMembersText('?1', '?3', '?2')}`, room, limit, after)
    return rows.map(eventFrom)
  },
)

/** Who holds a key at two points; where one of them has not changed it, what both had where their ways part. */
interface Moved {
  from: number
  to: number
}

export const stateDifference = query(
  'state.difference',
  'large',
  function* (room: number, from: StatePoint, to: StatePoint): Sql<StateDifference[]> {
    const moved = yield* movedKeys(room, from, to)
    for (const [key, { from, to }] of moved) if (from === to) moved.delete(key)
    const differences: StateDifference[] = []
    for (const list of lists([...moved.keys()])) {
      const rows = yield* run(
        `SELECT nid, type, state_key FROM state_keys WHERE nid IN (${placeholders(1, list.length)})`,
        ...list,
      )
      for (const row of rows) {
        const { from, to } = moved.get(row.nid as number)!
        differences.push({ type: row.type as string, stateKey: row.state_key as string, from, to })
      }
    }
    return differences
  },
  { snapshot: true },
)

/** Keys that changed on the way from one point to the other. Cost: the changes on the way, not the size of the state. */
function* movedKeys(room: number, from: StatePoint, to: StatePoint): Sql<Map<number, Moved>> {
  const down = yield* lineage(from)
  const up = yield* lineage(to)
  /* Leave out the branches that both share; on the last shared one only the stretch between counts. */
  while (down.length > 1 && up.length > 1 && down.at(-2)?.branch === up.at(-2)?.branch) {
    down.pop()
    up.pop()
  }
  const low = Math.min(down.at(-1)!.pos, up.at(-1)!.pos)
  const moved = new Map<number, Moved>()
  for (const { key, event, prev } of yield* wayTo(room, down, low)) {
    const known = moved.get(key)
    if (known) known.from = event
    else moved.set(key, { from: event, to: prev })
  }
  for (const { key, event, prev } of yield* wayTo(room, up, low)) {
    const known = moved.get(key)
    if (known) known.to = event
    else moved.set(key, { from: prev, to: event })
  }
  return moved
}

/** Changes from position `low` of the last point's branch up to the first point, oldest first. */
function* wayTo(room: number, points: readonly StatePoint[], low: number): Sql<Delta[]> {
  const deltas: Delta[] = []
  for (const [index, { branch, pos }] of [...points].reverse().entries()) {
    for (const delta of yield* deltasBetween(room, branch, index === 0 ? low : 0, pos)) deltas.push(delta)
  }
  return deltas
}
