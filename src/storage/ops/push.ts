/** Writing what notifications are counted from, and pushers. */
import type { PushOp } from '#/ports/store/push.ts'
import { MAIN_THREAD } from '#/protocol/push-rules/thread.ts'
import { PROFILE_STEPS_MAX, PUSH_QUEUE_MAX } from '../limits.ts'
import { addKind, NO_TOTALS } from '../sql/kind-totals.ts'
import { first, lists, placeholders, run, type Sql } from '../sql/sql.ts'
import { putAccountData } from './account-data.ts'
import { GuardFailed, type PlanContext } from './context.ts'

type OpOf<K extends PushOp['op']> = Extract<PushOp, { op: K }>

export function* putPushRules(ctx: PlanContext, op: OpOf<'push.rules'>): Sql<void> {
  const { user, content } = op
  yield* putAccountData(ctx, { op: 'account_data.put', user, room: 0, type: 'm.push_rules', content })
  yield* setCustom(ctx, { op: 'push.custom', user, custom: op.custom })
  if (op.profile !== undefined) yield* putProfile(user, '', ctx.position, op.profile)
  for (const [roomId, profile] of op.rooms) yield* putProfile(user, roomId, ctx.position, profile)
}

/** A step of a user's profiles; the oldest of too many go, and what was before them counts as the one that stays. */
function* putProfile(user: string, roomId: string, since: number, profile: string): Sql<void> {
  yield* run(
    'INSERT INTO push_profiles (user_id, room_id, since, profile) VALUES (?1, ?2, ?3, ?4)',
    user,
    roomId,
    since,
    profile,
  )
  yield* run(
    `DELETE FROM push_profiles WHERE user_id = ?1 AND room_id = ?2 AND since <= (SELECT p.since FROM push_profiles p
       WHERE p.user_id = ?1 AND p.room_id = ?2 ORDER BY p.since DESC LIMIT 1 OFFSET ${PROFILE_STEPS_MAX})`,
    user,
    roomId,
  )
}

export function* setCustom(_ctx: PlanContext, op: OpOf<'push.custom'>): Sql<void> {
  const custom = op.custom ? 1 : 0
  yield* run(
    `INSERT INTO push_users (user_id, custom, pushers) VALUES (?1, ?2, 0)
     ON CONFLICT (user_id) DO UPDATE SET custom = excluded.custom`,
    op.user,
    custom,
  )
  if (custom === 0) yield* dropIdle(op.user)
}

/** Takes away the row of a user for whom nothing is to be done. */
function* dropIdle(user: string): Sql<void> {
  yield* run('DELETE FROM push_users WHERE user_id = ?1 AND custom = 0 AND pushers = 0', user)
}

const NEWEST_TOTALS = `SELECT totals FROM event_kinds WHERE room = ?1 AND thread = ?2 ORDER BY event DESC LIMIT 1`

const PUT_MARK = `INSERT INTO own_marks (user_id, room, thread, event) VALUES (?1, ?2, ?3, ?4)
  ON CONFLICT (user_id, room, thread) DO UPDATE SET event = excluded.event`

const INSERT_KIND =
  'INSERT INTO event_kinds (event, room, kind, loud, thread, totals) VALUES (?1, ?2, ?3, ?4, ?5, ?6)'

function* newestTotals(room: number, thread: string): Sql<Uint8Array> {
  const row = yield* first(NEWEST_TOTALS, room, thread)
  return (row?.totals as Uint8Array | undefined) ?? NO_TOTALS
}

export function* countEvent(ctx: PlanContext, op: OpOf<'push.event'>): Sql<void> {
  const event = ctx.event(op.event)
  const room = ctx.room(op.room)
  const { thread, kind } = op
  const known = thread === MAIN_THREAD ? ctx.known.mainTotals.get(room) : undefined
  const totals = addKind(known ?? (yield* newestTotals(room, thread)), kind)
  ctx.tell(INSERT_KIND, event, room, kind, op.loud ? 1 : 0, thread, totals)
  if (thread === MAIN_THREAD) ctx.known.mainTotals.set(room, totals)
  if (thread !== MAIN_THREAD) {
    yield* run(
      `INSERT INTO thread_news (room, thread, latest) VALUES (?1, ?2, ?3)
       ON CONFLICT (room, thread) DO UPDATE SET latest = excluded.latest`,
      room,
      thread,
      event,
    )
  }
  if (op.readBy !== undefined) ctx.tell(PUT_MARK, op.readBy, room, thread, event)
  if (op.joined !== undefined) ctx.tell(PUT_MARK, op.joined, room, '', event)
  for (const action of op.actions) {
    yield* run(
      `INSERT INTO push_actions (user_id, room, thread, event, kind, notify, highlight, actions)
       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)`,
      action.user,
      room,
      thread,
      event,
      kind,
      action.notify ? 1 : 0,
      action.highlight ? 1 : 0,
      action.actions,
    )
  }
  for (const { user, actions } of op.queue) yield* enqueue(user, room, event, actions)
}

/** One more for each pusher of a user. Its place is its number modulo the length, so the oldest of too many go. */
function* enqueue(user: string, room: number, event: number, actions: string): Sql<void> {
  const pushers = yield* run(
    'UPDATE pushers SET queued = queued + 1 WHERE user_id = ?1 RETURNING app_id, pushkey, queued',
    user,
  )
  for (const row of pushers) {
    const seq = row.queued as number
    yield* run(
      `INSERT INTO push_queue (user_id, app_id, pushkey, slot, seq, room, event, actions)
       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
       ON CONFLICT (user_id, app_id, pushkey, slot) DO UPDATE SET seq = excluded.seq, room = excluded.room,
         event = excluded.event, actions = excluded.actions`,
      user,
      row.app_id as string,
      row.pushkey as string,
      seq % PUSH_QUEUE_MAX,
      seq,
      room,
      event,
      actions,
    )
  }
}

/** A redacted event notifies nobody any more. */
export function uncount(room: number, event: number): Sql<void> {
  return uncountEvents(room, [event])
}

/** The same for many events of a room. */
export function* uncountEvents(room: number, events: readonly number[]): Sql<void> {
  for (const list of lists(events)) {
    const among = placeholders(2, list.length)
    yield* run(
      `INSERT INTO redacted_kinds (room, thread, event, kind)
       SELECT k.room, k.thread, k.event, k.kind FROM event_kinds k
       WHERE k.event IN (${placeholders(1, list.length)}) ON CONFLICT DO NOTHING`,
      ...list,
    )
    yield* run(`DELETE FROM push_actions WHERE room = ?1 AND event IN (${among})`, room, ...list)
    yield* run(`DELETE FROM push_queue WHERE room = ?1 AND event IN (${among})`, room, ...list)
  }
}

/** Who is out of a room has nothing unread in it. */
export function* clearRoomOfUser(user: string, room: number): Sql<void> {
  yield* run('DELETE FROM push_actions WHERE user_id = ?1 AND room = ?2', user, room)
  yield* run('DELETE FROM own_marks WHERE user_id = ?1 AND room = ?2', user, room)
}

const USER_TABLES = ['push_users', 'push_profiles', 'push_actions', 'own_marks', 'pushers', 'push_queue']

export function* clearPush(_ctx: PlanContext, op: OpOf<'push.clear'>): Sql<void> {
  for (const table of USER_TABLES) yield* run(`DELETE FROM ${table} WHERE user_id = ?1`, op.user)
}

/** Statements that take away what belongs to a room. */
export const PUSH_OF_ROOM = [
  'DELETE FROM event_kinds WHERE room = ?1',
  'DELETE FROM thread_news WHERE room = ?1',
  'DELETE FROM redacted_kinds WHERE room = ?1',
  'DELETE FROM push_actions WHERE room = ?1',
  'DELETE FROM own_marks WHERE room = ?1',
  'DELETE FROM push_queue WHERE room = ?1',
] as const

export function* putPusher(_ctx: PlanContext, op: OpOf<'pusher.put'>): Sql<void> {
  const { user, appId, pushkey, kind, device, ts, data } = op.pusher
  if (!op.append) {
    const others = yield* run(
      'SELECT user_id FROM pushers WHERE app_id = ?1 AND pushkey = ?2 AND user_id <> ?3',
      appId,
      pushkey,
      user,
    )
    for (const other of others) yield* removePusher(other.user_id as string, appId, pushkey)
  }
  yield* run(
    `INSERT INTO pushers (user_id, app_id, pushkey, kind, device_id, ts, queued, data)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7)
     ON CONFLICT (user_id, app_id, pushkey) DO UPDATE SET kind = excluded.kind, device_id = excluded.device_id,
       ts = excluded.ts, data = excluded.data`,
    user,
    appId,
    pushkey,
    kind,
    device,
    ts,
    data,
  )
  const count = yield* countPushers(user)
  if (count > op.max) throw new GuardFailed({ conflict: 'taken' })
}

export function* deletePusher(_ctx: PlanContext, op: OpOf<'pusher.delete'>): Sql<void> {
  yield* removePusher(op.user, op.appId, op.pushkey)
}

function* removePusher(user: string, appId: string, pushkey: string): Sql<void> {
  for (const table of ['pushers', 'push_queue']) {
    yield* run(
      `DELETE FROM ${table} WHERE user_id = ?1 AND app_id = ?2 AND pushkey = ?3`,
      user,
      appId,
      pushkey,
    )
  }
  yield* countPushers(user)
}

/** Brings `push_users.pushers` up to what there is. */
function* countPushers(user: string): Sql<number> {
  const row = yield* first('SELECT COUNT(*) AS n FROM pushers WHERE user_id = ?1', user)
  const count = Number(row?.n)
  yield* run(
    `INSERT INTO push_users (user_id, custom, pushers) VALUES (?1, 0, ?2)
     ON CONFLICT (user_id) DO UPDATE SET pushers = excluded.pushers`,
    user,
    count,
  )
  if (count === 0) yield* dropIdle(user)
  return count
}

/** The pushers that devices set go with them. */
export function* clearPushersOfDevices(
  user: string,
  devices: readonly string[] | undefined,
  keep: string,
): Sql<void> {
  const rows = yield* run('SELECT app_id, pushkey, device_id FROM pushers WHERE user_id = ?1', user)
  for (const row of rows) {
    const device = row.device_id as string
    if (device === keep || (devices && !devices.includes(device))) continue
    yield* removePusher(user, row.app_id as string, row.pushkey as string)
  }
}
