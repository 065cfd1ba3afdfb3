/** Writing read receipts. */
import type { ReceiptOp } from '#/ports/store/receipts.ts'
import { run, type Sql } from '../sql/sql.ts'
import type { PlanContext } from './context.ts'

type OpOf<K extends ReceiptOp['op']> = Extract<ReceiptOp, { op: K }>

/** Whether the receipt moved forward. */
export function* putReceipt(ctx: PlanContext, op: OpOf<'receipt.put'>): Sql<boolean> {
  const position = ctx.next()
  const { op: _, ...receipt } = op
  const moved = yield* run(
    `INSERT INTO receipts (room, user_id, kind, thread, event_id, event, ts, pos)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
     ON CONFLICT (room, user_id, kind, thread) DO UPDATE SET event_id = excluded.event_id, event = excluded.event,
       ts = excluded.ts, pos = excluded.pos WHERE excluded.event > receipts.event RETURNING room`,
    op.room,
    op.user,
    op.kind,
    op.thread,
    op.eventId,
    op.event,
    op.ts,
    position,
  )
  if (moved.length === 0) return false
  ctx.changes.push({
    stream: 'receipts',
    position,
    room: op.room,
    user: op.user,
    receipt: { ...receipt, position },
  })
  return true
}

/** Nobody is told: the user is gone. A local user's receipts are in rooms of theirs. */
export function* clearReceipts(_ctx: PlanContext, op: OpOf<'receipt.clear'>): Sql<void> {
  yield* run(
    `DELETE FROM receipts WHERE user_id = ?1
       AND room IN (SELECT room FROM local_memberships WHERE user_id = ?1)`,
    op.user,
  )
}
