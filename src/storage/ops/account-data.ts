/** Writing account data and filters. */
import type { AccountDataOp } from '#/ports/store/account-data.ts'
import { first, run, type Sql } from '../sql/sql.ts'
import type { PlanContext } from './context.ts'

type OpOf<K extends AccountDataOp['op']> = Extract<AccountDataOp, { op: K }>

export function* putAccountData(ctx: PlanContext, op: OpOf<'account_data.put'>): Sql<void> {
  const pos = ctx.next()
  yield* run(
    `INSERT INTO account_data (user_id, room, type, pos, content) VALUES (?1, ?2, ?3, ?4, ?5)
     ON CONFLICT (user_id, room, type) DO UPDATE SET pos = excluded.pos, content = excluded.content, deleted = 0`,
    op.user,
    op.room,
    op.type,
    pos,
    op.content,
  )
  ctx.changes.push({ stream: 'account_data', position: pos, user: op.user, room: op.room })
}

/** The row stays, so that a sync from before can tell of it; `account_data.purge` takes it away when its place is needed. */
export function* deleteAccountData(ctx: PlanContext, op: OpOf<'account_data.delete'>): Sql<boolean> {
  const pos = ctx.next()
  const rows = yield* run(
    `UPDATE account_data SET pos = ?4, content = '{}', deleted = 1
     WHERE user_id = ?1 AND room = ?2 AND type = ?3 AND deleted = 0 RETURNING type`,
    op.user,
    op.room,
    op.type,
    pos,
  )
  if (rows.length === 0) return false
  ctx.changes.push({ stream: 'account_data', position: pos, user: op.user, room: op.room })
  return true
}

export function* purgeAccountData(_ctx: PlanContext, op: OpOf<'account_data.purge'>): Sql<void> {
  yield* run('DELETE FROM account_data WHERE user_id = ?1 AND deleted = 1', op.user)
}

/** Nobody is told: the user has no devices any more. */
export function* clearAccountData(_ctx: PlanContext, op: OpOf<'account_data.clear'>): Sql<void> {
  yield* run('DELETE FROM account_data WHERE user_id = ?1', op.user)
  yield* run('DELETE FROM thread_subscriptions WHERE user_id = ?1', op.user)
  yield* run('DELETE FROM filters WHERE user_id = ?1', op.user)
}

/** Stores a filter and gives its number; an equal one keeps its number. */
export function* putFilter(_ctx: PlanContext, op: OpOf<'filter.put'>): Sql<number> {
  const same = yield* first('SELECT nid FROM filters WHERE user_id = ?1 AND json = ?2', op.user, op.json)
  if (same) return same.nid as number
  const last = yield* first('SELECT MAX(nid) AS nid FROM filters WHERE user_id = ?1', op.user)
  const nid = ((last?.nid as number | null) ?? -1) + 1
  yield* run('INSERT INTO filters (user_id, nid, json) VALUES (?1, ?2, ?3)', op.user, nid, op.json)
  return nid
}
