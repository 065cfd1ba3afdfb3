/** Writing subscriptions of threads. */
import type { ThreadSubscriptionOp } from '#/ports/store/thread-subscriptions.ts'
import { first, run, type Sql } from '../sql/sql.ts'
import { GuardFailed, type PlanContext } from './context.ts'

type OpOf<K extends ThreadSubscriptionOp['op']> = Extract<ThreadSubscriptionOp, { op: K }>

const PUT = `INSERT INTO thread_subscriptions (user_id, room, root, pos, subscribed, automatic)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6)
  ON CONFLICT (user_id, room, root) DO UPDATE SET pos = excluded.pos, subscribed = excluded.subscribed,
    automatic = excluded.automatic`

interface Present {
  readonly pos: number
  readonly subscribed: boolean
  readonly automatic: boolean
}

function* present(op: ThreadSubscriptionOp): Sql<Present | undefined> {
  const row = yield* first(
    'SELECT pos, subscribed, automatic FROM thread_subscriptions WHERE user_id = ?1 AND room = ?2 AND root = ?3',
    op.user,
    op.room,
    op.root,
  )
  return row && { pos: row.pos as number, subscribed: row.subscribed === 1, automatic: row.automatic === 1 }
}

function* put(
  ctx: PlanContext,
  op: ThreadSubscriptionOp,
  subscribed: boolean,
  automatic: boolean,
): Sql<void> {
  const pos = ctx.next()
  yield* run(PUT, op.user, op.room, op.root, pos, Number(subscribed), Number(automatic))
  ctx.changes.push({ stream: 'thread_subscriptions', position: pos, user: op.user, room: op.room })
}

/** Subscribes where that changes anything. What the user has asked for wins over what a client does by itself. */
export function* subscribe(ctx: PlanContext, op: OpOf<'thread.subscribe'>): Sql<void> {
  const before = yield* present(op)
  const automatic = op.automatic !== null
  if (before?.subscribed && (automatic || !before.automatic)) return
  /* The position of an unsubscription is that of the stream, so the cause came before it where it is smaller. */
  if (before && !before.subscribed && op.automatic !== null && op.automatic < before.pos) {
    throw new GuardFailed({ conflict: 'unsubscribed', value: op.root })
  }
  yield* put(ctx, op, true, automatic)
}

export function* unsubscribe(ctx: PlanContext, op: OpOf<'thread.unsubscribe'>): Sql<void> {
  const before = yield* present(op)
  if (before?.subscribed) yield* put(ctx, op, false, false)
}
