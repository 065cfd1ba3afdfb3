/** Writing accounts, devices, tokens, registration tokens, profiles and authentication sessions. */
import type { AccountOp } from '#/ports/store/accounts.ts'
import { first, placeholders, run, type Sql } from '../sql/sql.ts'
import { GuardFailed, type PlanContext } from './context.ts'
import { deleteKeysOfDevices, deleteKeysOfUser, noteDeviceList } from './keys.ts'
import { forgetPerson, indexPerson } from './people.ts'
import { clearPushersOfDevices } from './push.ts'
import { closeInboxes, openInbox } from './to-device.ts'
import { clearUsage } from './usage.ts'

type OpOf<K extends AccountOp['op']> = Extract<AccountOp, { op: K }>

export function* createAccount(ctx: PlanContext, op: OpOf<'account.create'>): Sql<void> {
  const made = yield* run(
    `INSERT INTO accounts (user_id, folded, password_hash, admin, deactivated, locked, guest, created_ts)
     VALUES (?1, ?2, ?3, ?4, 0, 0, ?5, ?6) ON CONFLICT DO NOTHING RETURNING user_id`,
    op.user,
    op.user.toLowerCase(),
    op.passwordHash,
    op.admin ? 1 : 0,
    op.guest ? 1 : 0,
    op.ts,
  )
  if (made.length === 0) throw new GuardFailed({ conflict: 'taken', value: op.user })
  ctx.next()
}

export function* upgradeGuest(_ctx: PlanContext, op: OpOf<'account.upgrade'>): Sql<void> {
  const rows = yield* run(
    `UPDATE accounts SET guest = 0, password_hash = ?2, admin = ?3
     WHERE user_id = ?1 AND guest = 1 AND deactivated = 0 RETURNING user_id`,
    op.user,
    op.passwordHash,
    op.admin ? 1 : 0,
  )
  if (rows.length === 0) throw new GuardFailed({ conflict: 'gone', value: op.user })
}

export function* setPassword(_ctx: PlanContext, op: OpOf<'account.password'>): Sql<void> {
  const rows = yield* run(
    'UPDATE accounts SET password_hash = ?2 WHERE user_id = ?1 RETURNING user_id',
    op.user,
    op.passwordHash,
  )
  if (rows.length === 0) throw new GuardFailed({ conflict: 'gone', value: op.user })
}

/** An update and not a read: on PostgreSQL it makes a deactivation wait for the end of this transaction. */
export function* guardActive(_ctx: PlanContext, op: OpOf<'account.active'>): Sql<void> {
  const [row] = yield* run(
    'UPDATE accounts SET deactivated = deactivated WHERE user_id = ?1 RETURNING deactivated',
    op.user,
  )
  if (row?.deactivated === 1) throw new GuardFailed({ conflict: 'deactivated', value: op.user })
}

export function* setAccountFlags(ctx: PlanContext, op: OpOf<'account.flags'>): Sql<void> {
  const bit = (flag: boolean | undefined) => (flag === undefined ? null : flag ? 1 : 0)
  const rows = yield* run(
    `UPDATE accounts SET admin = COALESCE(?2, admin), deactivated = COALESCE(?3, deactivated),
       locked = COALESCE(?4, locked), suspended = COALESCE(?5, suspended) WHERE user_id = ?1 RETURNING user_id`,
    op.user,
    bit(op.admin),
    bit(op.deactivated),
    bit(op.locked),
    bit(op.suspended),
  )
  if (rows.length === 0) throw new GuardFailed({ conflict: 'gone', value: op.user })
  if (!op.deactivated) return
  yield* forgetPerson(op.user)
  yield* run('DELETE FROM openid_tokens WHERE user_id = ?1', op.user)
  yield* deleteKeysOfUser(ctx, op.user)
  yield* clearUsage(op.user)
}

export function* putDevice(ctx: PlanContext, op: OpOf<'device.put'>): Sql<void> {
  const known = yield* first(
    'SELECT display_name FROM devices WHERE user_id = ?1 AND device_id = ?2',
    op.user,
    op.device,
  )
  yield* run(
    `INSERT INTO devices (user_id, device_id, display_name, created_ts) VALUES (?1, ?2, ?3, ?4)
     ON CONFLICT (user_id, device_id) DO UPDATE SET display_name = COALESCE(excluded.display_name, devices.display_name)`,
    op.user,
    op.device,
    op.displayName,
    op.ts,
  )
  const gone = op.most !== undefined && (yield* makePlace(ctx, op.user, op.device, op.most))
  const renamed = op.displayName !== null && op.displayName !== known?.display_name
  if (!known || renamed || gone) yield* noteDeviceList(ctx, op.user)
  const position = ctx.next()
  yield* openInbox(op.user, op.device, position)
  ctx.changes.push({ stream: 'devices', position, user: op.user })
}

/** Deletes the devices used longest ago, but for `keep`, until there are no more than `most`; says whether any went. */
function* makePlace(ctx: PlanContext, user: string, keep: string, most: number): Sql<boolean> {
  const gone = yield* run(
    `SELECT device_id FROM devices WHERE user_id = ?1 AND device_id <> ?2
     ORDER BY COALESCE(seen_ts, created_ts) DESC, created_ts DESC, device_id LIMIT ?3 OFFSET ?4`,
    user,
    keep,
    DEVICES_DELETED_AT_ONCE,
    most - 1,
  )
  const names = gone.map((row) => row.device_id as string)
  if (names.length === 0) return false
  yield* clearPushersOfDevices(user, names, keep)
  yield* deleteKeysOfDevices(ctx, user, names, keep)
  for (const device of names) {
    yield* run('DELETE FROM tokens WHERE user_id = ?1 AND device_id = ?2', user, device)
    yield* run('DELETE FROM devices WHERE user_id = ?1 AND device_id = ?2', user, device)
    yield* run('DELETE FROM dehydrated_devices WHERE user_id = ?1 AND device_id = ?2', user, device)
    yield* closeInboxes('user_id = ?1 AND device_id = ?2', user, device)
  }
  return true
}

/** Seldom more than one, since every new device looks. */
const DEVICES_DELETED_AT_ONCE = 100

export function* noteSeen(_ctx: PlanContext, op: OpOf<'device.seen'>): Sql<void> {
  for (const { user, device, ts, ip, agent } of op.devices) {
    yield* run(
      `UPDATE devices SET seen_ts = ?3, seen_ip = ?4, seen_agent = ?5
       WHERE user_id = ?1 AND device_id = ?2 AND (seen_ts IS NULL OR seen_ts < ?3)`,
      user,
      device,
      ts,
      ip,
      agent,
    )
  }
}

export function* deleteDevices(ctx: PlanContext, op: OpOf<'device.delete'>): Sql<void> {
  const keep = op.keep ?? ''
  const among = op.devices ? ` AND device_id IN (${placeholders(3, op.devices.length)})` : ''
  if (op.devices?.length === 0) return
  const params = [op.user, keep, ...(op.devices ?? [])]
  yield* clearPushersOfDevices(op.user, op.devices, keep)
  yield* deleteKeysOfDevices(ctx, op.user, op.devices, keep)
  yield* noteDeviceList(ctx, op.user)
  yield* run(`DELETE FROM tokens WHERE user_id = ?1 AND device_id <> ?2${among}`, ...params)
  const which = `user_id = ?1 AND device_id <> ?2${among}`
  yield* run(`DELETE FROM devices WHERE ${which}`, ...params)
  yield* run(`DELETE FROM dehydrated_devices WHERE ${which}`, ...params)
  yield* closeInboxes(which, ...params)
  ctx.changes.push({ stream: 'devices', position: ctx.next(), user: op.user })
}

export function* putToken(_ctx: PlanContext, op: OpOf<'token.put'>): Sql<void> {
  yield* run(
    `INSERT INTO tokens (digest, user_id, device_id, kind, expires_ts, pair, exchanged)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)`,
    op.digest,
    op.user,
    op.device,
    op.kind,
    op.expiresTs,
    op.pair,
  )
}

export function* deleteToken(_ctx: PlanContext, op: OpOf<'token.delete'>): Sql<void> {
  const rows = yield* run('DELETE FROM tokens WHERE digest = ?1 RETURNING digest', op.digest)
  if (rows.length === 0) throw new GuardFailed({ conflict: 'gone' })
}

export function* markExchanged(_ctx: PlanContext, op: OpOf<'token.exchanged'>): Sql<void> {
  const rows = yield* run(
    `UPDATE tokens SET exchanged = 1 WHERE digest = ?1 AND kind = 'refresh' RETURNING digest`,
    op.digest,
  )
  if (rows.length === 0) throw new GuardFailed({ conflict: 'gone' })
}

export function* clearTokens(_ctx: PlanContext, op: OpOf<'token.clear'>): Sql<void> {
  const params: string[] = [op.user]
  let where = 'user_id = ?1'
  if (op.device !== undefined) {
    params.push(op.device)
    where += ` AND device_id = ?${params.length}`
  }
  if (op.keep && op.keep.length > 0) {
    where += ` AND digest NOT IN (${placeholders(params.length + 1, op.keep.length)})`
    params.push(...op.keep)
  }
  yield* run(`DELETE FROM tokens WHERE ${where}`, ...params)
}

export function* putRegistrationToken(_ctx: PlanContext, op: OpOf<'registration_token.put'>): Sql<void> {
  const made = yield* run(
    `INSERT INTO registration_tokens (token, uses_allowed, pending, completed, expires_ts, admin)
     VALUES (?1, ?2, 0, 0, ?3, ?4) ON CONFLICT DO NOTHING RETURNING token`,
    op.token,
    op.usesAllowed,
    op.expiresTs,
    op.admin ? 1 : 0,
  )
  if (made.length === 0) throw new GuardFailed({ conflict: 'taken' })
}

/** Guard and count in one statement, so that two registrations cannot share the last use. */
export function* useRegistrationToken(_ctx: PlanContext, op: OpOf<'registration_token.use'>): Sql<void> {
  const rows = yield* run(
    `UPDATE registration_tokens SET completed = completed + 1
     WHERE token = ?1 AND (expires_ts IS NULL OR expires_ts > ?2)
       AND (uses_allowed IS NULL OR completed < uses_allowed) RETURNING token`,
    op.token,
    op.now,
  )
  if (rows.length === 0) throw new GuardFailed({ conflict: 'gone' })
}

export function* putProfile(ctx: PlanContext, op: OpOf<'profile.put'>): Sql<void> {
  yield* run(
    `INSERT INTO profiles (user_id, fields) VALUES (?1, ?2)
     ON CONFLICT (user_id) DO UPDATE SET fields = excluded.fields`,
    op.user,
    op.fields,
  )
  yield* indexPerson(ctx, op.user, op.fields)
  ctx.changes.push({ stream: 'profile', position: ctx.next(), user: op.user })
}

/** A write and not a read: on PostgreSQL it makes a change of the profile wait for the end of this transaction. */
export function* guardProfile(_ctx: PlanContext, op: OpOf<'profile.says'>): Sql<void> {
  const [row] = yield* run(
    `INSERT INTO profiles (user_id, fields) VALUES (?1, '{}')
     ON CONFLICT (user_id) DO UPDATE SET fields = profiles.fields RETURNING fields`,
    op.user,
  )
  const fields = JSON.parse(row!.fields as string) as Record<string, unknown>
  const said = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null)
  if (said(fields['displayname']) !== op.displayName || said(fields['avatar_url']) !== op.avatarUrl) {
    throw new GuardFailed({ conflict: 'profile', value: op.user })
  }
}

export function* putUia(_ctx: PlanContext, op: OpOf<'uia.put'>): Sql<void> {
  yield* run(
    `INSERT INTO uia_sessions (session, data, expires_ts) VALUES (?1, ?2, ?3)
     ON CONFLICT (session) DO UPDATE SET data = excluded.data, expires_ts = excluded.expires_ts`,
    op.session,
    op.data,
    op.expiresTs,
  )
}

export function* deleteUia(_ctx: PlanContext, op: OpOf<'uia.delete'>): Sql<void> {
  yield* first('DELETE FROM uia_sessions WHERE session = ?1 RETURNING session', op.session)
}
