/** What held the keys of state events before them. */
import type { EventRow } from '#/ports/store/events.ts'
import type { StateBefore } from '#/ports/store/state.ts'
import { lists, placeholders, type Row, run, type Sql } from '../sql/sql.ts'
import { eventsWhere } from './events.ts'
import { query } from './query.ts'
import { heldMany, rowAt } from './state-walk.ts'

/* CROSS JOIN makes SQLite go from the few given events to their keys, never the other way. A key that nothing held
   before has a row of its own event alone, and is not looked at further. */
const KEYS = (list: readonly number[]): string =>
  `SELECT e.nid, e.room, e.state_branch, e.state_pos, k.nid AS state_key, s.event, s.pos, s.older, s.spilled
   FROM events e CROSS JOIN state_keys k
     LEFT JOIN room_state s ON s.room = e.room AND s.branch = 0 AND s.state_key = k.nid
   WHERE e.nid IN (${placeholders(1, list.length)}) AND k.type = e.type AND k.state_key = e.state_key
     AND (e.state_branch IS NOT NULL OR s.pos < e.nid OR s.older IS NOT NULL OR s.spilled > 0)`

export const stateBefore = query(
  'state.before',
  'small',
  function* (nids: readonly number[]): Sql<StateBefore[]> {
    const held = new Map<number, number>()
    for (const list of lists(nids)) {
      for (const row of yield* run(KEYS(list), ...list)) {
        const before = yield* heldBefore(row)
        if (before > 0 && before !== row.nid) held.set(row.nid as number, before)
      }
    }
    const events = new Map<number, EventRow>()
    for (const event of yield* eventsWhere('nid', [...new Set(held.values())])) events.set(event.nid, event)
    return [...held].flatMap(([event, nid]) => {
      const before = events.get(nid)
      return before ? [{ event, before }] : []
    })
  },
  { snapshot: true },
)

/** Row id of the event that held the key before a state event; 0 for none. */
function* heldBefore(row: Row): Sql<number> {
  const room = row.room as number
  if (row.state_branch === null) return (yield* rowAt(room, 0, row, (row.nid as number) - 1)) ?? 0
  const point = { branch: row.state_branch as number, pos: row.state_pos as number }
  const key = row.state_key as number
  return (yield* heldMany(room, point, [key])).get(key) ?? 0
}
