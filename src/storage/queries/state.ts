/** Reading room state: a few keys, all of it, at a point, and the difference of two points. */
import type { EventRow } from '#/ports/store/events.ts'
import type { StateDifference, StateEntry, StatePoint } from '#/ports/store/state.ts'
import { first, placeholders, type Row, run, type Sql } from '../sql/sql.ts'
import { olderAt } from '../sql/state-codec.ts'
import { EVENT_COLUMNS, eventFrom } from './events.ts'
import { query } from './query.ts'
import { deltasBetween, heldAt, lineage, spilledAt } from './state-walk.ts'

type Keys = readonly (readonly [string, string])[]

export const currentState = query('state.current', 'small', function* (room: number, keys: Keys): Sql<
  EventRow[]
> {
  const events: EventRow[] = []
  for (const [type, stateKey] of keys) {
    const row = yield* first(
      `SELECT ${EVENT_COLUMNS} FROM state_keys k
       JOIN room_state s ON s.room = ?1 AND s.branch = 0 AND s.state_key = k.nid
       JOIN events e ON e.nid = s.event WHERE k.type = ?2 AND k.state_key = ?3`,
      room,
      type,
      stateKey,
    )
    if (row) events.push(eventFrom(row))
  }
  return events
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

export const pointBefore = query('state.pointBefore', 'small', function* (nid: number): Sql<
  StatePoint | undefined
> {
  const row = yield* first('SELECT state_branch, state_pos FROM events WHERE nid = ?1', nid)
  if (!row) return undefined
  if (row.state_branch !== null) return { branch: row.state_branch as number, pos: row.state_pos as number }
  /* On the main line nothing is stored: the state before an event is that of the position before its own. */
  return { branch: 0, pos: nid - 1 }
})

export const stateAt = query(
  'state.at',
  'small',
  function* (room: number, point: StatePoint, keys: Keys): Sql<EventRow[]> {
    const events: EventRow[] = []
    for (const [type, stateKey] of keys) {
      const key = yield* first(
        'SELECT nid FROM state_keys WHERE type = ?1 AND state_key = ?2',
        type,
        stateKey,
      )
      if (!key) continue
      const held = yield* heldAt(room, point, key.nid as number)
      if (held === 0) continue
      const row = yield* first(`SELECT ${EVENT_COLUMNS} FROM events e WHERE e.nid = ?1`, held)
      if (row) events.push(eventFrom(row))
    }
    return events
  },
  { snapshot: true },
)

/** Event by key id on one branch alone, for all keys that the branch had touched by `pos`. */
function* branchAt(room: number, branch: number, pos: number, into: Map<number, number>): Sql<void> {
  const rows = yield* run(
    'SELECT state_key, event, pos, older, spilled FROM room_state WHERE room = ?1 AND branch = ?2',
    room,
    branch,
  )
  for (const row of rows) {
    const key = row.state_key as number
    if ((row.pos as number) <= pos) {
      into.set(key, row.event as number)
      continue
    }
    const held = olderAt(row.older as Uint8Array | null, pos)
    if (held) into.set(key, held.event)
    else if ((row.spilled as number) > 0) {
      const spilled = yield* spilledAt(room, branch, key, pos)
      if (spilled !== undefined) into.set(key, spilled)
    }
  }
}

export const fullStateAt = query(
  'state.fullAt',
  'large',
  function* (room: number, point: StatePoint): Sql<StateEntry[]> {
    const held = new Map<number, number>()
    for (const at of (yield* lineage(point)).reverse()) yield* branchAt(room, at.branch, at.pos, held)
    const names = yield* keyNames(room)
    const entries: StateEntry[] = []
    for (const [key, event] of held) {
      if (event === 0) continue
      const name = names.get(key)
      if (!name) throw new Error(`state key ${key} has no name`)
      entries.push({ type: name.type as string, stateKey: name.state_key as string, event })
    }
    return entries
  },
  { snapshot: true },
)

/** Names of all keys that a room ever had. */
function* keyNames(room: number): Sql<Map<number, Row>> {
  const rows = yield* run(
    `SELECT k.nid, k.type, k.state_key FROM state_keys k
     WHERE k.nid IN (SELECT state_key FROM room_state WHERE room = ?1)`,
    room,
  )
  return new Map(rows.map((row) => [row.nid as number, row]))
}

/** Events asked for in one statement. */
const EVENTS_PER_STATEMENT = 200

export const stateEventsAt = query(
  'state.eventsAt',
  'large',
  function* (room: number, point: StatePoint, exceptType: string | undefined): Sql<EventRow[]> {
    const held = new Map<number, number>()
    for (const at of (yield* lineage(point)).reverse()) yield* branchAt(room, at.branch, at.pos, held)
    const nids = [...held.values()].filter((nid) => nid !== 0)
    const events: EventRow[] = []
    for (let i = 0; i < nids.length; i += EVENTS_PER_STATEMENT) {
      const some = nids.slice(i, i + EVENTS_PER_STATEMENT)
      const rows = yield* run(
        `SELECT ${EVENT_COLUMNS} FROM events e WHERE e.nid IN (${placeholders(1, some.length)})
         AND e.type <> ?${some.length + 1} ORDER BY e.nid`,
        ...some,
        exceptType ?? '',
      )
      for (const row of rows) events.push(eventFrom(row))
    }
    return events
  },
  { snapshot: true },
)

export const someMembers = query('state.someMembers', 'small', function* (room: number, limit: number): Sql<
  EventRow[]
> {
  const rows = yield* run(
    `SELECT ${EVENT_COLUMNS} FROM room_state s JOIN state_keys k ON k.nid = s.state_key
       JOIN events e ON e.nid = s.event
       WHERE s.room = ?1 AND s.branch = 0 AND k.type = 'm.room.member' ORDER BY s.state_key LIMIT ?2`,
    room,
    limit,
  )
  return rows.map(eventFrom)
})

/** Names asked for in one statement. */
const NAMES_PER_STATEMENT = 200

export const stateDifference = query(
  'state.difference',
  'large',
  function* (room: number, from: StatePoint, to: StatePoint): Sql<StateDifference[]> {
    const changed = new Map<number, { from: number; to: number }>()
    for (const key of yield* touchedKeys(room, from, to)) {
      const before = yield* heldAt(room, from, key)
      const after = yield* heldAt(room, to, key)
      if (before !== after) changed.set(key, { from: before, to: after })
    }
    const keys = [...changed.keys()]
    const differences: StateDifference[] = []
    for (let i = 0; i < keys.length; i += NAMES_PER_STATEMENT) {
      const some = keys.slice(i, i + NAMES_PER_STATEMENT)
      const rows = yield* run(
        `SELECT nid, type, state_key FROM state_keys WHERE nid IN (${placeholders(1, some.length)})`,
        ...some,
      )
      for (const row of rows) {
        const pair = changed.get(row.nid as number)
        if (pair) differences.push({ type: row.type as string, stateKey: row.state_key as string, ...pair })
      }
    }
    return differences
  },
  { snapshot: true },
)

/** Keys that may differ: all that changed on the way from one point to the other. */
function* touchedKeys(room: number, from: StatePoint, to: StatePoint): Sql<Set<number>> {
  const down = yield* lineage(from)
  const up = yield* lineage(to)
  const keys = new Set<number>()
  /* Leave out the branches that both share; on the last shared one only the stretch between counts. */
  while (down.length > 1 && up.length > 1 && down.at(-2)?.branch === up.at(-2)?.branch) {
    down.pop()
    up.pop()
  }
  const a = down.pop()
  const b = up.pop()
  if (!a || !b) return keys
  const low = Math.min(a.pos, b.pos)
  for (const delta of yield* deltasBetween(room, a.branch, low, Math.max(a.pos, b.pos))) keys.add(delta.key)
  for (const at of [...down, ...up]) {
    for (const delta of yield* deltasBetween(room, at.branch, 0, at.pos)) keys.add(delta.key)
  }
  return keys
}
