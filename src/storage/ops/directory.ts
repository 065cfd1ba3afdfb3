/** Writing aliases and the list of published rooms. */
import type { DirectoryOp } from '#/ports/store/directory.ts'
import { readJson } from '#/protocol/json/reader.ts'
import { isObject, type JsonObject, member } from '#/protocol/json/value.ts'
import { CARD_TYPES, cardOf, isOpenToStrangers, searchTextOf } from '#/protocol/listing/room-card.ts'
import { first, placeholders, run, type Sql } from '../sql/sql.ts'
import { GuardFailed, type PlanContext } from './context.ts'

type OpOf<K extends DirectoryOp['op']> = Extract<DirectoryOp, { op: K }>

export function* putAlias(ctx: PlanContext, op: OpOf<'alias.put'>): Sql<void> {
  const made = yield* run(
    `INSERT INTO room_aliases (alias, room, creator, created_ts) VALUES (?1, ?2, ?3, ?4)
     ON CONFLICT DO NOTHING RETURNING room`,
    op.alias,
    ctx.room(op.room),
    op.creator,
    op.ts,
  )
  if (made.length === 0) throw new GuardFailed({ conflict: 'taken', value: op.alias })
}

export function* deleteAlias(_ctx: PlanContext, op: OpOf<'alias.delete'>): Sql<void> {
  const gone = yield* run(
    'DELETE FROM room_aliases WHERE alias = ?1 AND room = ?2 RETURNING room',
    op.alias,
    op.room,
  )
  if (gone.length === 0) throw new GuardFailed({ conflict: 'gone' })
}

export function* moveDirectory(ctx: PlanContext, op: OpOf<'directory.move'>): Sql<void> {
  const to = ctx.room(op.to)
  yield* run('UPDATE room_aliases SET room = ?2 WHERE room = ?1', op.from, to)
  const was = yield* run('DELETE FROM published_rooms WHERE room = ?1 RETURNING room', op.from)
  if (was.length > 0) yield* publish(to)
}

export function* publishRoom(ctx: PlanContext, op: OpOf<'directory.publish'>): Sql<void> {
  const room = ctx.room(op.room)
  if (op.published) yield* publish(room)
  else yield* run('DELETE FROM published_rooms WHERE room = ?1', room)
}

function* publish(room: number): Sql<void> {
  yield* run(
    `INSERT INTO published_rooms (room, shown, joined, type, search)
     SELECT room, 0, joined, NULL, '' FROM room_heads WHERE room = ?1 ON CONFLICT DO NOTHING`,
    room,
  )
  yield* refresh(room)
}

const LISTED: ReadonlySet<string> = new Set<string>(CARD_TYPES)

/** Brings the row of a published room up to its state, after some of the state changed. */
export function* followState(room: number, types: readonly string[]): Sql<void> {
  if (!types.some((type) => LISTED.has(type))) return
  const published = yield* first('SELECT room FROM published_rooms WHERE room = ?1', room)
  if (published) yield* refresh(room)
}

/** Brings the row of a published room up to its members. */
export function* followMembers(room: number): Sql<void> {
  yield* run(
    `UPDATE published_rooms SET joined = (SELECT h.joined FROM room_heads h WHERE h.room = ?1) WHERE room = ?1`,
    room,
  )
}

/* CROSS JOIN makes SQLite go from the few given keys to the rows. */
const CARD_EVENTS = `SELECT e.type, e.json FROM state_keys k CROSS JOIN room_state s CROSS JOIN events e
  WHERE k.type IN (${placeholders(2, CARD_TYPES.length)}) AND k.state_key = ''
    AND s.room = ?1 AND s.branch = 0 AND s.state_key = k.nid AND e.nid = s.event`

/** What the row of a published room says of it. */
export interface PublishedFacts {
  readonly shown: number
  readonly type: string | null
  readonly search: string
}

/** What the row of a room says, or would say, by its state. */
export function* publishedFacts(room: number): Sql<PublishedFacts> {
  const rows = yield* run(CARD_EVENTS, room, ...CARD_TYPES)
  const contents = new Map(rows.map((row) => [row.type as string, contentOf(row.json as string)]))
  const card = cardOf((type) => contents.get(type))
  return {
    shown: isOpenToStrangers(card) ? 1 : 0,
    type: storable(card.roomType),
    search: searchTextOf(card),
  }
}

/** Brings the row of a published room up to its state. */
export function* refresh(room: number): Sql<void> {
  const { shown, type, search } = yield* publishedFacts(room)
  yield* run(
    'UPDATE published_rooms SET shown = ?2, type = ?3, search = ?4 WHERE room = ?1',
    room,
    shown,
    type,
    search,
  )
}

/** A type that no engine would alter; others cannot be searched for. */
function storable(type: string | undefined): string | null {
  return type?.isWellFormed() && !type.includes('\0') ? type : null
}

/** Content of a stored event; a damaged one shows nothing. */
function contentOf(json: string): JsonObject {
  const read = readJson(json, 'lenient')
  const content = read.ok && isObject(read.value) ? member(read.value, 'content') : undefined
  return isObject(content) ? content : {}
}
