/** Reading the state of many rooms at once. */
import type { EventRow } from '#/ports/store/events.ts'
import type { StateAsk, StateText, StateTextAsk, StateTurn, TurnsAsk } from '#/ports/store/many.ts'
import { clientText } from '#/protocol/event/client-text.ts'
import { STATE_TEXT_ROWS_AT_ONCE, TURNS_MAX } from '../limits.ts'
import { exactLists, integers, lists, pairs, type Row, run, type Sql } from '../sql/sql.ts'
import { type Held, unpackHeld } from '../sql/state-codec.ts'
import { eventFrom, eventsWhere } from './events.ts'
import { eventNidsAt } from './full-state.ts'
import { query } from './query.ts'
import { eventsExcept } from './state.ts'
import { heldMany, rowAt } from './state-walk.ts'

type Pair = readonly [string, string]

const pairName = ([type, stateKey]: Pair): string => `${type}\0${stateKey}`

/** Row ids of keys by name; unknown keys are left out. */
function* keyNids(asked: Iterable<readonly Pair[]>): Sql<Map<string, number>> {
  const wanted = new Map<string, Pair>()
  for (const keys of asked) for (const key of keys) wanted.set(pairName(key), key)
  const nids = new Map<string, number>()
  for (const list of lists([...wanted.values()])) {
    const rows = yield* run(
      `SELECT k.nid, k.type, k.state_key FROM (VALUES ${pairs(1, list.length)}) AS v CROSS JOIN state_keys k
       WHERE k.type = v.column1 AND k.state_key = v.column2`,
      ...list.flat(),
    )
    for (const row of rows)
      nids.set(pairName([row.type as string, row.state_key as string]), row.nid as number)
  }
  return nids
}

/** A key of a room, and from which position on its former events matter. */
interface Cell {
  readonly room: number
  readonly key: number
  readonly pos: number
}

const cellName = (room: number, key: number): string => `${room} ${key}`

/** Rows of `room_state` on the main line, by room and key; `older` only where the row is newer than the position. */
function* cellRows(cells: Iterable<Cell>): Sql<Map<string, Row>> {
  const oldest = new Map<string, Cell>()
  for (const cell of cells) {
    const name = cellName(cell.room, cell.key)
    const known = oldest.get(name)
    if (!known || cell.pos < known.pos) oldest.set(name, cell)
  }
  const found = new Map<string, Row>()
  for (const list of lists([...oldest.values()])) {
    const rows = yield* run(
      `SELECT s.room, s.state_key, s.event, s.pos, CASE WHEN s.pos > v.column3 THEN s.older END AS older, s.spilled
       FROM (VALUES ${integers(1, list.length, 3)}) AS v CROSS JOIN room_state s
       WHERE s.room = v.column1 AND s.branch = 0 AND s.state_key = v.column2`,
      ...list.flatMap(({ room, key, pos }) => [room, key, pos]),
    )
    for (const row of rows) found.set(cellName(row.room as number, row.state_key as number), row)
  }
  return found
}

function* eventsByNid(nids: Iterable<number>): Sql<Map<number, EventRow>> {
  const events = new Map<number, EventRow>()
  for (const event of yield* eventsWhere('nid', [...new Set(nids)])) events.set(event.nid, event)
  return events
}

/** A few keys of each state. Those on branches are looked up one by one: they are rare. */
export function* stateAtMany(asks: readonly StateAsk[]): Sql<EventRow[][]> {
  const nids = yield* keyNids(asks.map(({ keys }) => keys))
  const known = asks.map(({ keys }) => [...new Set(keys.flatMap((key) => nids.get(pairName(key)) ?? []))])
  const cells: Cell[] = []
  for (const [index, { room, point }] of asks.entries()) {
    if (point.branch !== 0) continue
    for (const key of known[index]!) cells.push({ room, key, pos: point.pos })
  }
  const rows = yield* cellRows(cells)
  const held: number[][] = []
  for (const [index, { room, point }] of asks.entries()) {
    const events: number[] = []
    if (point.branch === 0) {
      for (const key of known[index]!) {
        const row = rows.get(cellName(room, key))
        events.push((row && (yield* rowAt(room, 0, row, point.pos))) ?? 0)
      }
    } else events.push(...(yield* heldMany(room, point, known[index]!)).values())
    held.push(events.filter((event) => event !== 0))
  }
  const events = yield* eventsByNid(held.flat())
  return held.map((of) => of.flatMap((nid) => events.get(nid) ?? []))
}

/** Who held keys in a stretch of the main line. */
export function* turnsMany(asks: readonly TurnsAsk[]): Sql<(StateTurn[] | undefined)[]> {
  const nids = yield* keyNids(asks.map(({ keys }) => keys))
  const cells: Cell[] = []
  for (const { room, from, keys } of asks) {
    for (const key of keys) {
      const nid = nids.get(pairName(key))
      if (nid !== undefined) cells.push({ room, key: nid, pos: from })
    }
  }
  const rows = yield* cellRows(cells)
  const stories = asks.map(({ room, from, to, keys }) => {
    const story: { readonly key: Pair; readonly held: Held }[] = []
    for (const key of keys) {
      const nid = nids.get(pairName(key))
      const row = nid === undefined ? undefined : rows.get(cellName(room, nid))
      const turns = row ? heldBetween(row, from, to) : []
      if (!turns || turns.length > TURNS_MAX) return undefined
      for (const held of turns) story.push({ key, held })
    }
    return story
  })
  const events = yield* eventsByNid(stories.flatMap((story) => story?.map(({ held }) => held.event) ?? []))
  return stories.map((story) =>
    story?.map(({ key: [type, stateKey], held }) => ({
      ...{ type, stateKey, pos: held.pos },
      event: events.get(held.event),
    })),
  )
}

/** Who held a key at `from` and took it up to `to`; undefined where that is partly in rows of its own. */
function heldBetween(row: Row, from: number, to: number): Held[] | undefined {
  const now = { pos: row.pos as number, event: row.event as number }
  if (now.pos <= from) return [now]
  const older = row.older === null ? [] : unpackHeld(row.older as Uint8Array)
  if ((older[0]?.pos ?? now.pos) > from && row.spilled !== 0) return undefined
  const all = [...older, now]
  const first = all.findLastIndex(({ pos }) => pos <= from)
  return all.slice(Math.max(0, first)).filter(({ pos }) => pos <= to)
}

/* One look at the rows of each room: what held at the position, and how many keys changed since that something held
   before. */
const STATES = (count: number): string =>
  `SELECT v.column1 AS room, v.column2 AS pos, string_agg(CASE WHEN s.pos <= v.column2 THEN CAST(s.event AS TEXT) END, ',') AS events,
     SUM(CASE WHEN s.pos > v.column2 AND (s.older IS NOT NULL OR s.spilled > 0) THEN 1 ELSE 0 END) AS newer
   FROM (VALUES ${integers(1, count, 2)}) AS v CROSS JOIN room_state s
   WHERE s.room = v.column1 AND s.branch = 0 GROUP BY v.column1, v.column2`

function* nidsOfStates(asks: readonly StateTextAsk[]): Sql<number[][]> {
  const settled = new Map<string, Row>()
  const plain = asks.filter(({ point }) => point.branch === 0)
  const places = new Map(plain.map(({ room, point: { pos } }) => [cellName(room, pos), [room, pos] as const]))
  for (const list of exactLists([...places.values()])) {
    for (const row of yield* run(STATES(list.length), ...list.flat())) {
      settled.set(cellName(row.room as number, row.pos as number), row)
    }
  }
  const all: number[][] = []
  for (const { room, point } of asks) {
    const row = point.branch === 0 ? settled.get(cellName(room, point.pos)) : undefined
    if (point.branch !== 0 || Number(row?.newer ?? 0) > 0) all.push(yield* eventNidsAt(room, point))
    else
      all.push(
        (JSON.parse(`[${(row?.events as string | null | undefined) ?? ''}]`) as number[]).filter(Boolean),
      )
  }
  return all
}

/** Whole states as texts, made here because making them is work. */
export function* stateTextsMany(asks: readonly StateTextAsk[]): Sql<StateText[]> {
  const states = yield* nidsOfStates(asks)
  const texts: StateText[] = []
  let rows = 0
  for (const [index, { exceptType }] of asks.entries()) {
    const nids = states[index]!.sort((a, b) => a - b)
    rows += nids.length
    if (index > 0 && rows > STATE_TEXT_ROWS_AT_ONCE) break
    texts.push(yield* stateText(nids, exceptType))
  }
  return texts
}

function* stateText(nids: readonly number[], exceptType: string | undefined): Sql<StateText> {
  const texts: string[] = []
  const others: EventRow[] = []
  for (const list of lists(nids)) {
    for (const row of yield* eventsExcept(list, exceptType)) {
      const event = eventFrom(row)
      const text = event.redactedBy === null ? clientText(event) : undefined
      if (text) texts.push(`${text.head}${text.tail}}`)
      else others.push(event)
    }
  }
  return { text: texts.join(','), others }
}

export const stateTurns = query(
  'state.turns',
  'small',
  function* (ask: TurnsAsk): Sql<StateTurn[] | undefined> {
    return (yield* turnsMany([ask]))[0]
  },
  { snapshot: true },
)

export const stateTextAt = query(
  'state.textAt',
  'large',
  function* (ask: StateTextAsk): Sql<StateText> {
    return (yield* stateTextsMany([ask]))[0]!
  },
  { snapshot: true },
)
