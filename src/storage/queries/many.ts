/** Reading of many rooms at once what a sync of whole rooms asks of each. Answers stand in the order of the questions. */
import type { EventRow, TxnRow } from '#/ports/store/events.ts'
import type { ManyReader, NewestOf, TargetsAsk } from '#/ports/store/many.ts'
import type { ReceiptRow } from '#/ports/store/receipts.ts'
import type { RelationTarget } from '#/ports/store/relations.ts'
import type { MembershipRow, RoomHead, RoomRow } from '#/ports/store/rooms.ts'
import { ROOM_GOING } from '../sql/room-state.ts'
import { lists, placeholders, type Row, run, runEach, type Sql, type SqlValue } from '../sql/sql.ts'
import { EVENT_COLUMNS, eventFrom, txnsOf } from './events.ts'
import { type Query, query } from './query.ts'
import { RECEIPT_COLUMNS, receiptFrom } from './receipts.ts'
import { TARGET_COLUMNS, targetFrom } from './relations.ts'
import { HEAD_COLUMNS, headFrom, MEMBERSHIP, membershipFrom, ROOM, roomFrom } from './rooms.ts'
import { pointsBefore, someMembersText, stateReplaced } from './state.ts'
import { stateAtMany, stateTextsMany, turnsMany } from './state-many.ts'

/** Runs a statement for lists of values, which stand behind the `shared` parameters; gives rows by a column. */
function* byColumn(
  values: readonly SqlValue[],
  shared: readonly SqlValue[],
  column: string,
  text: (among: string) => string,
): Sql<Map<SqlValue, Row>> {
  const found = new Map<SqlValue, Row>()
  for (const list of lists(values)) {
    const rows = yield* run(text(placeholders(shared.length + 1, list.length)), ...shared, ...list)
    for (const row of rows) found.set(row[column]!, row)
  }
  return found
}

const manyRooms = query('many.rooms', 'large', function* (nids: readonly number[]): Sql<
  (RoomRow | undefined)[]
> {
  const rows = yield* byColumn(
    nids,
    [],
    'nid',
    (among) => `${ROOM} WHERE nid IN (${among}) AND stale <> ${ROOM_GOING}`,
  )
  return nids.map((nid) => mapped(rows.get(nid), roomFrom))
})

const mapped = <T>(row: Row | undefined, from: (row: Row) => T): T | undefined => row && from(row)

const manyHeads = query('many.heads', 'large', function* (rooms: readonly number[]): Sql<
  (RoomHead | undefined)[]
> {
  const rows = yield* byColumn(
    rooms,
    [],
    'room',
    (among) => `SELECT room, ${HEAD_COLUMNS} FROM room_heads WHERE room IN (${among})`,
  )
  return rooms.map((room) => mapped(rows.get(room), headFrom))
})

const manyMemberships = query(
  'many.memberships',
  'large',
  function* (user: string, rooms: readonly number[]): Sql<(MembershipRow | undefined)[]> {
    const rows = yield* byColumn(
      rooms,
      [user],
      'room',
      (among) => `${MEMBERSHIP} WHERE m.user_id = ?1 AND m.room IN (${among})`,
    )
    return rooms.map((room) => mapped(rows.get(room), membershipFrom))
  },
)

const manyTimelines = query(
  'many.timelines',
  'large',
  function* (rooms: readonly number[], { after, upto, limit }: NewestOf): Sql<EventRow[][]> {
    const found = yield* runEach(
      rooms,
      [after, upto, limit],
      (room) => `${EVENT_COLUMNS} FROM events e WHERE e.room = ${room} AND e.arrival > ?1 AND e.arrival <= ?2
        ORDER BY e.arrival DESC LIMIT ?3`,
    )
    return found.map((rows) => rows.map(eventFrom))
  },
)

const manyReceipts = query(
  'many.receipts',
  'large',
  function* (
    rooms: readonly number[],
    reader: string,
    { after, upto, limit }: NewestOf,
  ): Sql<ReceiptRow[][]> {
    const found = yield* runEach(
      rooms,
      [after, upto, reader, limit],
      (room) => `${RECEIPT_COLUMNS} FROM receipts WHERE room = ${room} AND pos > ?1 AND pos <= ?2
        AND (kind = 'm.read' OR user_id = ?3) ORDER BY pos DESC LIMIT ?4`,
    )
    return found.map((rows) => rows.map(receiptFrom))
  },
)

/* A tail that has just become a chunk is gone until the next change. */
const manyLastChanges = query('many.lastChanges', 'large', function* (rooms: readonly number[]): Sql<
  number[]
> {
  const tails = yield* byColumn(
    rooms,
    [],
    'room',
    (among) => `SELECT room, upto FROM state_delta_tails WHERE branch = 0 AND room IN (${among})`,
  )
  const chunks = yield* byColumn(
    rooms.filter((room) => !tails.has(room)),
    [],
    'room',
    (among) => `SELECT room, MAX(upto) AS upto FROM state_delta_chunks
      WHERE branch = 0 AND room IN (${among}) GROUP BY room`,
  )
  return rooms.map((room) => ((tails.get(room) ?? chunks.get(room))?.upto as number | undefined) ?? 0)
})

const manyMembers = query(
  'many.members',
  'large',
  function* (rooms: readonly number[], limit: number, after: number): Sql<EventRow[][]> {
    const found = yield* runEach(rooms, [limit, after], (room) => someMembersText(room, '?2', '?1'))
    return found.map((rows) => rows.map(eventFrom))
  },
)

const manyTargets = query('many.targets', 'large', function* (asks: readonly TargetsAsk[]): Sql<
  RelationTarget[][]
> {
  const targets = new Map<string, RelationTarget>()
  const wanted = asks.flatMap(({ room, eventIds }) => eventIds.map((id) => [room, id] as const))
  for (const list of lists(wanted)) {
    const values = list.map((_, i) => `(CAST(?${2 * i + 1} AS BIGINT), ?${2 * i + 2})`).join(', ')
    const rows = yield* run(
      `SELECT ${TARGET_COLUMNS} FROM (VALUES ${values}) AS v CROSS JOIN relation_targets t
       WHERE t.room = v.column1 AND t.event_id = v.column2`,
      ...list.flat(),
    )
    for (const row of rows) targets.set(`${row.room} ${row.event_id}`, targetFrom(row))
  }
  return asks.map(({ room, eventIds }) => eventIds.flatMap((id) => targets.get(`${room} ${id}`) ?? []))
})

const manyTxns = query(
  'many.txns',
  'large',
  function* (user: string, device: string, nids: readonly number[]): Sql<TxnRow[]> {
    const found = new Map<number, string>()
    for (const list of lists(nids)) {
      for (const { event, txnId } of yield* txnsOf.run(user, device, list)) found.set(event, txnId)
    }
    return [...found].map(([event, txnId]) => ({ event, txnId }))
  },
)

const manyReplaced = query('many.replaced', 'large', stateReplaced.run, { snapshot: true })
const manyPoints = query('many.pointsBefore', 'large', pointsBefore.run)
const manyState = query('many.state', 'large', stateAtMany, { snapshot: true })
const manyTurns = query('many.turns', 'large', turnsMany, { snapshot: true })
const manyTexts = query('many.texts', 'large', stateTextsMany, { snapshot: true })

type Bind = <Args extends readonly unknown[], T>(query: Query<Args, T>) => (...args: Args) => Promise<T>

export function bindMany(bind: Bind): ManyReader {
  return {
    rooms: bind(manyRooms),
    heads: bind(manyHeads),
    memberships: bind(manyMemberships),
    timelines: bind(manyTimelines),
    receipts: bind(manyReceipts),
    lastChanges: bind(manyLastChanges),
    stateAt: bind(manyState),
    turns: bind(manyTurns),
    members: bind(manyMembers),
    targets: bind(manyTargets),
    texts: bind(manyTexts),
    txns: bind(manyTxns),
    replaced: bind(manyReplaced),
    pointsBefore: bind(manyPoints),
  }
}
