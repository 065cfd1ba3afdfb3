/** Writing relations between events. Sums are kept with the event that is related to. */
import type { RelationOp } from '#/ports/store/relations.ts'
import { REFERENCE, REPLACE, THREAD } from '#/protocol/event/relation.ts'
import { first, type Row, run, type Sql } from '../sql/sql.ts'
import { GuardFailed, type PlanContext } from './context.ts'

type OpOf<K extends RelationOp['op']> = Extract<RelationOp, { op: K }>

/* A thread's last event is the topologically last, whichever came last. */
const LATER = `excluded.thread_event IS NOT NULL AND (relation_targets.thread_event IS NULL OR
  (excluded.thread_depth, excluded.thread_arrival) > (relation_targets.thread_depth, relation_targets.thread_arrival))`

const later = (column: string): string =>
  `${column} = CASE WHEN ${LATER} THEN excluded.${column} ELSE relation_targets.${column} END`

const PUT_TARGET = `INSERT INTO relation_targets
  (nid, room, event_id, edits, refs, thread_count, thread_depth, thread_arrival, thread_event)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
  ON CONFLICT (room, event_id) DO UPDATE SET edits = relation_targets.edits + excluded.edits,
    refs = relation_targets.refs + excluded.refs,
    thread_count = relation_targets.thread_count + excluded.thread_count,
    ${later('thread_depth')}, ${later('thread_arrival')}, ${later('thread_event')}
  RETURNING nid`

/** Notes a relation; an event has one at most. A live event's place in the timeline is its row id. */
export function* putRelation(ctx: PlanContext, op: OpOf<'relation.put'>): Sql<void> {
  yield* insertRelation(ctx, op, ctx.event(op.event))
}

/** Notes the relation of an event that is stored already; running twice notes nothing twice. */
export function* indexRelation(ctx: PlanContext, op: OpOf<'relation.index'>): Sql<void> {
  const event = ctx.event(op.event)
  const row = yield* first(
    `SELECT arrival FROM events WHERE nid = ?1 AND arrival IS NOT NULL AND redacted_by IS NULL
     AND NOT EXISTS (SELECT 1 FROM event_relations WHERE event = ?1)`,
    event,
  )
  if (row) yield* insertRelation(ctx, op, row.arrival as number)
}

function* insertRelation(
  ctx: PlanContext,
  op: OpOf<'relation.put' | 'relation.index'>,
  arrival: number,
): Sql<void> {
  const { target, relType, key, type, sender, ts, depth } = op
  const event = ctx.event(op.event)
  const aggregated = Number(op.aggregated)
  const thread = relType === THREAD
  const [row] = yield* run(
    PUT_TARGET,
    ctx.next(),
    ctx.room(op.room),
    target,
    relType === REPLACE ? aggregated : 0,
    Number(relType === REFERENCE),
    Number(thread),
    thread ? depth : 0,
    thread ? arrival : 0,
    thread ? event : null,
  )
  yield* run(
    `INSERT INTO event_relations
       (target, depth, arrival, event, aggregated, ts, rel_type, type, sender, rel_key)
       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)`,
    (row as Row).nid as number,
    depth,
    arrival,
    event,
    aggregated,
    ts,
    relType,
    type,
    sender,
    key,
  )
}

/** Guard: nobody annotates an event twice in the same way. */
export function* guardUnique(ctx: PlanContext, op: OpOf<'relation.unique'>): Sql<void> {
  const { room, target, type, sender, key } = op
  const other = yield* findAnnotation(room, target, { type, sender, key }, ctx.event(op.event))
  if (other) throw new GuardFailed({ conflict: 'duplicate', value: target })
}

/** Whether there is an annotation like this, other than the event `except`. */
export function* findAnnotation(
  room: number,
  target: string,
  by: { readonly type: string; readonly sender: string; readonly key: string },
  except = 0,
): Sql<boolean> {
  const row = yield* first(
    `SELECT r.event FROM relation_targets t JOIN event_relations r ON r.target = t.nid
     WHERE t.room = ?1 AND t.event_id = ?2 AND r.rel_type = 'm.annotation' AND r.sender = ?3 AND r.type = ?4
       AND r.rel_key = ?5 AND r.event <> ?6 LIMIT 1`,
    room,
    target,
    by.sender,
    by.type,
    by.key,
    except,
  )
  return row !== undefined
}

/** Takes away the relation of an event that is redacted, if it had one. */
export function* dropRelation(event: number): Sql<void> {
  const row = yield* first(
    'DELETE FROM event_relations WHERE event = ?1 RETURNING target, rel_type, aggregated',
    event,
  )
  if (!row) return
  const target = row.target as number
  const relType = row.rel_type as string
  const left = yield* first('SELECT event FROM event_relations WHERE target = ?1 LIMIT 1', target)
  if (!left) {
    yield* run('DELETE FROM relation_targets WHERE nid = ?1', target)
  } else if (relType === THREAD) {
    yield* shortenThread(target)
  } else if (relType === REPLACE || relType === REFERENCE) {
    const column = relType === REPLACE ? 'edits' : 'refs'
    yield* run(
      `UPDATE relation_targets SET ${column} = ${column} - ?2 WHERE nid = ?1`,
      target,
      row.aggregated as number,
    )
  }
}

function* shortenThread(target: number): Sql<void> {
  const last = yield* first(
    `SELECT depth, arrival, event FROM event_relations WHERE target = ?1 AND rel_type = 'm.thread'
     ORDER BY depth DESC, arrival DESC LIMIT 1`,
    target,
  )
  yield* run(
    `UPDATE relation_targets SET thread_count = thread_count - 1, thread_depth = ?2, thread_arrival = ?3,
       thread_event = ?4 WHERE nid = ?1`,
    target,
    last?.depth ?? 0,
    last?.arrival ?? 0,
    last?.event ?? null,
  )
}
