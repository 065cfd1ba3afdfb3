/** Writing login tokens, consent, erasure, monthly activity and rooms of server notices. */
import type { UsageOp } from '#/ports/store/usage.ts'
import { first, run, type Sql } from '../sql/sql.ts'
import { GuardFailed, type PlanContext } from './context.ts'

type OpOf<K extends UsageOp['op']> = Extract<UsageOp, { op: K }>

/** Tokens beyond the limit that one more removes. */
const TOKENS_AT_ONCE = 100

function* putLoginToken(_ctx: PlanContext, op: OpOf<'login_token.put'>): Sql<void> {
  yield* run(
    'INSERT INTO login_tokens (digest, user_id, expires_ts) VALUES (?1, ?2, ?3)',
    op.digest,
    op.user,
    op.expiresTs,
  )
  yield* run(
    `DELETE FROM login_tokens WHERE digest IN (SELECT digest FROM login_tokens WHERE user_id = ?1 AND digest <> ?2
       ORDER BY expires_ts DESC, digest LIMIT ?3 OFFSET ?4)`,
    op.user,
    op.digest,
    TOKENS_AT_ONCE,
    op.most - 1,
  )
}

function* takeLoginToken(_ctx: PlanContext, op: OpOf<'login_token.take'>): Sql<void> {
  const rows = yield* run(
    'DELETE FROM login_tokens WHERE digest = ?1 AND expires_ts > ?2 RETURNING digest',
    op.digest,
    op.now,
  )
  if (rows.length === 0) throw new GuardFailed({ conflict: 'gone' })
}

function* putConsent(_ctx: PlanContext, op: OpOf<'consent.put'>): Sql<void> {
  yield* run(
    `INSERT INTO consents (user_id, version, ts, asked) VALUES (?1, ?2, ?3, NULL)
     ON CONFLICT (user_id) DO UPDATE SET version = excluded.version, ts = excluded.ts`,
    op.user,
    op.version,
    op.ts,
  )
}

function* askConsent(_ctx: PlanContext, op: OpOf<'consent.asked'>): Sql<void> {
  yield* run(
    `INSERT INTO consents (user_id, version, ts, asked) VALUES (?1, NULL, NULL, ?2)
     ON CONFLICT (user_id) DO UPDATE SET asked = excluded.asked`,
    op.user,
    op.version,
  )
}

function* putErasure(_ctx: PlanContext, op: OpOf<'erasure.put'>): Sql<void> {
  yield* run('INSERT INTO erased_users (user_id) VALUES (?1) ON CONFLICT DO NOTHING', op.user)
}

function* seeMonthly(_ctx: PlanContext, op: OpOf<'month.seen'>): Sql<boolean> {
  const known = yield* first('SELECT ts FROM monthly_active WHERE user_id = ?1', op.user)
  const counts = known !== undefined && (known.ts as number) > op.since
  if (!counts && op.most !== undefined) {
    const row = yield* first('SELECT COUNT(*) AS n FROM monthly_active WHERE ts > ?1', op.since)
    if (Number(row?.n ?? 0) >= op.most) return false
  }
  yield* run(
    `INSERT INTO monthly_active (user_id, ts) VALUES (?1, ?2)
     ON CONFLICT (user_id) DO UPDATE SET ts = excluded.ts`,
    op.user,
    op.ts,
  )
  return true
}

function* trimMonthly(_ctx: PlanContext, op: OpOf<'month.trim'>): Sql<number> {
  const old = yield* run(
    `DELETE FROM monthly_active WHERE user_id IN
       (SELECT user_id FROM monthly_active WHERE ts <= ?1 ORDER BY ts LIMIT ?2) RETURNING user_id`,
    op.since,
    op.limit,
  )
  if (op.most === undefined || old.length >= op.limit) return old.length
  const many = yield* run(
    `DELETE FROM monthly_active WHERE user_id IN
       (SELECT user_id FROM monthly_active ORDER BY ts DESC, user_id LIMIT ?1 OFFSET ?2) RETURNING user_id`,
    op.limit - old.length,
    op.most,
  )
  return old.length + many.length
}

function* putNotices(_ctx: PlanContext, op: OpOf<'notices.put'>): Sql<void> {
  yield* run(
    `INSERT INTO notice_rooms (user_id, room) VALUES (?1, ?2)
     ON CONFLICT (user_id) DO UPDATE SET room = excluded.room`,
    op.user,
    op.room,
  )
}

/** What a deactivated account leaves behind nothing of; its erasure stays. */
export function* clearUsage(user: string): Sql<void> {
  for (const table of ['login_tokens', 'consents', 'monthly_active', 'notice_rooms']) {
    yield* run(`DELETE FROM ${table} WHERE user_id = ?1`, user)
  }
}

/** Rows of a room. */
export const USAGE_OF_ROOM = 'DELETE FROM notice_rooms WHERE room = ?1'

export const HANDLERS = {
  'login_token.put': putLoginToken,
  'login_token.take': takeLoginToken,
  'consent.put': putConsent,
  'consent.asked': askConsent,
  'erasure.put': putErasure,
  'month.seen': seeMonthly,
  'month.trim': trimMonthly,
  'notices.put': putNotices,
} as const
