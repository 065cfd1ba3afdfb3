/** Writing delayed events. Their jobs find nothing where a row is gone. */
import type { DelayedOp } from '#/ports/store/delayed.ts'
import { first, run, type Sql } from '../sql/sql.ts'
import { GuardFailed, type PlanContext } from './context.ts'

type OpOf<K extends DelayedOp['op']> = Extract<DelayedOp, { op: K }>

export function* putDelayed(_ctx: PlanContext, op: OpOf<'delayed.put'>): Sql<void> {
  const before = yield* first(
    'SELECT delay_id FROM delayed_events WHERE user_id = ?1 AND device_id = ?2 AND txn = ?3',
    op.user,
    op.device,
    op.txn,
  )
  if (before) throw new GuardFailed({ conflict: 'txn', value: before.delay_id as string })
  const held = yield* first(
    'SELECT COUNT(*) AS n, MIN(since_ts + delay_ms) AS next FROM delayed_events WHERE user_id = ?1',
    op.user,
  )
  if (Number(held?.n ?? 0) >= op.max) {
    throw new GuardFailed({ conflict: 'taken', value: String(held?.next ?? 0) })
  }
  yield* run(
    `INSERT INTO delayed_events
       (delay_id, user_id, device_id, txn, room, type, state_key, content, delay_ms, since_ts)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)`,
    op.delayId,
    op.user,
    op.device,
    op.txn,
    op.room,
    op.type,
    op.stateKey,
    op.content,
    op.delayMs,
    op.sinceTs,
  )
}

export function* restartDelayed(_ctx: PlanContext, op: OpOf<'delayed.restart'>): Sql<void> {
  const rows = yield* run(
    'UPDATE delayed_events SET since_ts = ?2 WHERE delay_id = ?1 RETURNING delay_id',
    op.delayId,
    op.sinceTs,
  )
  if (rows.length === 0) throw new GuardFailed({ conflict: 'gone', value: op.delayId })
}

export function* takeDelayed(_ctx: PlanContext, op: OpOf<'delayed.take'>): Sql<void> {
  const rows = yield* run(
    'DELETE FROM delayed_events WHERE delay_id = ?1 AND since_ts = COALESCE(?2, since_ts) RETURNING delay_id',
    op.delayId,
    op.sinceTs ?? null,
  )
  if (rows.length === 0) throw new GuardFailed({ conflict: 'gone', value: op.delayId })
}

export function* supersedeDelayed(_ctx: PlanContext, op: OpOf<'delayed.supersede'>): Sql<void> {
  yield* run(
    'DELETE FROM delayed_events WHERE room = ?1 AND type = ?2 AND state_key = ?3 AND user_id <> ?4',
    op.room,
    op.type,
    op.stateKey,
    op.sender,
  )
}

export function* clearDelayed(_ctx: PlanContext, op: OpOf<'delayed.clear'>): Sql<void> {
  yield* run('DELETE FROM delayed_events WHERE user_id = ?1', op.user)
}
