/** Writing reports. */
import type { ReportOp } from '#/ports/store/reports.ts'
import { run, type Sql } from '../sql/sql.ts'
import { GuardFailed, type PlanContext } from './context.ts'

type OpOf<K extends ReportOp['op']> = Extract<ReportOp, { op: K }>

/** Reports beyond the limit that one more report removes. */
const TOO_MANY_ROWS = 100

/** Keeps a report; its row id is the result. */
export function* putReport(ctx: PlanContext, op: OpOf<'report.put'>): Sql<number> {
  const nid = ctx.next()
  yield* run(
    `INSERT INTO reports (nid, kind, ts, reporter, room, event_id, target, reason, score)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)`,
    nid,
    op.kind,
    op.ts,
    op.reporter,
    op.room,
    op.event,
    op.target,
    op.reason,
    op.score,
  )
  yield* run(
    `DELETE FROM reports WHERE nid IN
       (SELECT nid FROM reports WHERE reporter = ?1 ORDER BY nid DESC LIMIT ?2 OFFSET ?3)`,
    op.reporter,
    TOO_MANY_ROWS,
    op.keep,
  )
  return nid
}

export function* deleteReport(_ctx: PlanContext, op: OpOf<'report.delete'>): Sql<void> {
  const rows = yield* run('DELETE FROM reports WHERE nid = ?1 RETURNING nid', op.nid)
  if (rows.length === 0) throw new GuardFailed({ conflict: 'gone' })
}
