/** Counting a room's events again from their kinds. */
import type { PushOp, RecountFinding } from '#/ports/store/push.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import { preparePushEvent } from '#/protocol/push-rules/conditions.ts'
import { eventKind, isLoud, KIND_OF_EVENT_ALONE } from '#/protocol/push-rules/event-kind.ts'
import { RECOUNT_FINDINGS_MAX, RECOUNT_PAGE_ROWS } from '../limits.ts'
import { addKind, NO_TOTALS } from '../sql/kind-totals.ts'
import { type Row, run, type Sql } from '../sql/sql.ts'
import type { PlanContext } from './context.ts'

type Recount = Extract<PushOp, { op: 'push.recount' }>

interface Result {
  events: number
  wrong: number
  readonly findings: RecountFinding[]
}

/** Looks at every counted event of a room; with `repair` writes what it should be. Gives what was wrong. */
export function* recountRoom(ctx: PlanContext, op: Recount): Sql<Result> {
  ctx.known.mainTotals.delete(op.room)
  const result: Result = { events: 0, wrong: 0, findings: [] }
  let thread = ''
  let after = 0
  let totals: Uint8Array = NO_TOTALS
  for (;;) {
    const rows = yield* page(op.room, thread, after)
    for (const row of rows) {
      if (row.thread !== thread) {
        yield* recountThread(op, result, thread, after)
        totals = NO_TOTALS
      }
      thread = row.thread as string
      after = row.event as number
      totals = yield* recountEvent(op, result, row, totals)
    }
    result.events += rows.length
    if (rows.length < RECOUNT_PAGE_ROWS) break
  }
  yield* recountThread(op, result, thread, after)
  yield* dropStrays(op, result)
  return result
}

function* page(room: number, thread: string, after: number): Sql<Row[]> {
  return yield* run(
    `SELECT k.event, k.thread, k.kind, k.loud, k.totals, e.json, e.redacted_by FROM event_kinds k
     JOIN events e ON e.nid = k.event WHERE k.room = ?1 AND (k.thread, k.event) > (?2, ?3)
     ORDER BY k.thread, k.event LIMIT ${RECOUNT_PAGE_ROWS}`,
    room,
    thread,
    after,
  )
}

function* recountEvent(op: Recount, result: Result, row: Row, before: Uint8Array): Sql<Uint8Array> {
  const kind = kindNow(row)
  const totals = addKind(before, kind)
  const event = row.event as number
  const kindWrong = kind !== row.kind || (isLoud(kind) ? 1 : 0) !== row.loud
  const totalsWrong = Buffer.compare(totals, row.totals as Uint8Array) !== 0
  if (kindWrong) note(result, 'kind', event)
  else if (totalsWrong) note(result, 'totals', event)
  if (op.repair && (kindWrong || totalsWrong)) {
    yield* run(
      'UPDATE event_kinds SET kind = ?2, loud = ?3, totals = ?4 WHERE event = ?1',
      event,
      kind,
      isLoud(kind) ? 1 : 0,
      totals,
    )
    for (const table of ['push_actions', 'redacted_kinds']) {
      yield* run(`UPDATE ${table} SET kind = ?3 WHERE room = ?1 AND event = ?2`, op.room, event, kind)
    }
  }
  return totals
}

/** The kind that an event has by itself; what depended on the room of then stays as it was noted. */
function kindNow(row: Row): number {
  const noted = row.kind as number
  if (row.redacted_by !== null) return noted
  const event = preparePushEvent(JSON.parse(row.json as string) as JsonObject)
  const alone = eventKind(event, {
    userId: '',
    displayName: undefined,
    memberCount: 0,
    senderPowerLevel: 0,
    notificationLevels: undefined,
  })
  return (alone & KIND_OF_EVENT_ALONE) | (noted & ~KIND_OF_EVENT_ALONE)
}

function* recountThread(op: Recount, result: Result, thread: string, latest: number): Sql<void> {
  if (thread === '' || thread === 'main') return
  const [row] = yield* run('SELECT latest FROM thread_news WHERE room = ?1 AND thread = ?2', op.room, thread)
  if (row?.latest === latest) return
  note(result, 'thread', latest)
  if (!op.repair) return
  yield* run(
    `INSERT INTO thread_news (room, thread, latest) VALUES (?1, ?2, ?3)
     ON CONFLICT (room, thread) DO UPDATE SET latest = excluded.latest`,
    op.room,
    thread,
    latest,
  )
}

/** Outcomes of events that were never counted, or are in another thread. */
function* dropStrays(op: Recount, result: Result): Sql<void> {
  for (const table of ['push_actions', 'redacted_kinds']) {
    const stray = `room = ?1 AND NOT EXISTS (SELECT 1 FROM event_kinds k WHERE k.event = ${table}.event
      AND k.room = ${table}.room AND k.thread = ${table}.thread)`
    for (const row of yield* run(`SELECT event FROM ${table} WHERE ${stray}`, op.room)) {
      note(result, 'stray', row.event as number)
    }
    if (op.repair) yield* run(`DELETE FROM ${table} WHERE ${stray}`, op.room)
  }
}

function note(result: Result, what: RecountFinding['what'], event: number): void {
  result.wrong++
  if (result.findings.length < RECOUNT_FINDINGS_MAX) result.findings.push({ what, event })
}
