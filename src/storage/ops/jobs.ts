/** Durable timed work, and the sweep of rows whose time is over. */
import type { JobOp } from '#/ports/store/jobs.ts'
import { run, type Sql } from '../sql/sql.ts'
import { sweepBackups } from './backups.ts'
import { GuardFailed, type PlanContext } from './context.ts'
import { sweepInboxes } from './to-device.ts'

type OpOf<K extends JobOp['op']> = Extract<JobOp, { op: K }>

export function* putJob(ctx: PlanContext, op: OpOf<'job.put'>): Sql<void> {
  yield* run(
    `INSERT INTO jobs (kind, key, due_ts, attempts, data) VALUES (?1, ?2, ?3, 0, ?4)
     ON CONFLICT (kind, key) DO UPDATE SET due_ts = excluded.due_ts, attempts = 0, data = excluded.data`,
    op.kind,
    typeof op.key === 'string' ? op.key : String(ctx.room(op.key.room)),
    op.dueTs,
    op.data,
  )
}

export function* finishJob(_ctx: PlanContext, op: OpOf<'job.done'>): Sql<void> {
  if (op.dueTs === undefined) yield* run('DELETE FROM jobs WHERE kind = ?1 AND key = ?2', op.kind, op.key)
  else yield* run('DELETE FROM jobs WHERE kind = ?1 AND key = ?2 AND due_ts = ?3', op.kind, op.key, op.dueTs)
}

export function* retryJob(_ctx: PlanContext, op: OpOf<'job.retry'>): Sql<void> {
  const rows = yield* run(
    'UPDATE jobs SET attempts = attempts + 1, due_ts = ?3 WHERE kind = ?1 AND key = ?2 RETURNING kind',
    op.kind,
    op.key,
    op.dueTs,
  )
  if (rows.length === 0) throw new GuardFailed({ conflict: 'gone' })
}

/** How long a transaction id is remembered. A client that retries gives up long before. */
const TXN_KEEP_MS = 24 * 60 * 60 * 1000

/** How long an expired token is kept: a client that comes back is told to log in again softly, keeping its keys. */
const EXPIRED_TOKEN_KEEP_MS = 28 * 24 * 60 * 60 * 1000

/** Each statement deletes at most ?2 rows whose time is over at ?1. */
const SWEEPS: readonly { readonly text: string; readonly age: number }[] = [
  {
    /* Row ids grow with time, so the oldest are first and no index on the time is needed. */
    text: `DELETE FROM event_txns WHERE ts < ?1 AND event IN (SELECT event FROM event_txns ORDER BY event LIMIT ?2)
           RETURNING event`,
    age: TXN_KEEP_MS,
  },
  {
    text: `DELETE FROM inbox_txns WHERE ts < ?1 AND pos IN (SELECT pos FROM inbox_txns ORDER BY pos LIMIT ?2)
           RETURNING pos`,
    age: TXN_KEEP_MS,
  },
  {
    text: `DELETE FROM event_originals WHERE event IN
             (SELECT event FROM event_originals WHERE keep_until < ?1 LIMIT ?2) RETURNING event`,
    age: 0,
  },
  {
    text: `DELETE FROM uia_sessions WHERE session IN
             (SELECT session FROM uia_sessions WHERE expires_ts < ?1 LIMIT ?2) RETURNING session`,
    age: 0,
  },
  {
    text: `DELETE FROM openid_tokens WHERE digest IN
             (SELECT digest FROM openid_tokens WHERE expires_ts < ?1 LIMIT ?2) RETURNING digest`,
    age: 0,
  },
  {
    text: `DELETE FROM login_tokens WHERE digest IN
             (SELECT digest FROM login_tokens WHERE expires_ts < ?1 LIMIT ?2) RETURNING digest`,
    age: 0,
  },
  {
    text: `DELETE FROM tokens WHERE digest IN
             (SELECT digest FROM tokens WHERE expires_ts IS NOT NULL AND expires_ts < ?1 LIMIT ?2) RETURNING digest`,
    age: EXPIRED_TOKEN_KEEP_MS,
  },
]

/** Deletes rows whose time is over, a bounded number per table; the result is how many went. */
export function* sweep(_ctx: PlanContext, op: OpOf<'job.sweep'>): Sql<number> {
  let gone = 0
  for (const { text, age } of SWEEPS) gone += (yield* run(text, op.now - age, op.limit)).length
  gone += yield* sweepInboxes(op.limit)
  gone += yield* sweepBackups(op.limit)
  return gone
}
