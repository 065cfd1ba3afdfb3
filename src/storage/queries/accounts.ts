/** Reading accounts, devices, tokens and profiles. */
import type {
  AccountRow,
  DeviceRow,
  ProfileRow,
  RegistrationTokenRow,
  TokenRow,
} from '#/ports/store/accounts.ts'
import { first, type Row, run, type Sql } from '../sql/sql.ts'
import { query } from './query.ts'

const ACCOUNT = `SELECT user_id, password_hash, admin, deactivated, locked, suspended, guest, created_ts FROM accounts`

function accountFrom(row: Row): AccountRow {
  return {
    user: row.user_id as string,
    passwordHash: row.password_hash as string | null,
    admin: row.admin === 1,
    deactivated: row.deactivated === 1,
    locked: row.locked === 1,
    suspended: row.suspended === 1,
    guest: row.guest === 1,
    createdTs: row.created_ts as number,
  }
}

export const accountByUser = query('accounts.byUser', 'small', function* (user: string): Sql<
  AccountRow | undefined
> {
  const row = yield* first(`${ACCOUNT} WHERE user_id = ?1`, user)
  return row && accountFrom(row)
})

export const accountFolded = query('accounts.byUserFolded', 'small', function* (user: string): Sql<
  AccountRow | undefined
> {
  const rows = yield* run(`${ACCOUNT} WHERE folded = ?1 LIMIT 2`, user.toLowerCase())
  return rows.length === 1 && rows[0] ? accountFrom(rows[0]) : undefined
})

export const anyAccount = query('accounts.any', 'small', function* (): Sql<boolean> {
  return (yield* first('SELECT 1 AS one FROM accounts LIMIT 1')) !== undefined
})

export const accountCount = query('accounts.count', 'large', function* (): Sql<number> {
  const row = yield* first('SELECT COUNT(*) AS n FROM accounts')
  return (row?.n as number) ?? 0
})

function deviceFrom(row: Row): DeviceRow {
  return {
    user: row.user_id as string,
    device: row.device_id as string,
    displayName: row.display_name as string | null,
    createdTs: row.created_ts as number,
    seenTs: row.seen_ts as number | null,
    seenIp: row.seen_ip as string | null,
    seenAgent: row.seen_agent as string | null,
  }
}

export const devicesOf = query('accounts.devices', 'large', function* (user: string): Sql<DeviceRow[]> {
  const rows = yield* run('SELECT * FROM devices WHERE user_id = ?1 ORDER BY device_id', user)
  return rows.map(deviceFrom)
})

export const deviceOf = query('accounts.device', 'small', function* (user: string, device: string): Sql<
  DeviceRow | undefined
> {
  const row = yield* first('SELECT * FROM devices WHERE user_id = ?1 AND device_id = ?2', user, device)
  return row && deviceFrom(row)
})

export const tokenByDigest = query('accounts.token', 'small', function* (digest: string): Sql<
  TokenRow | undefined
> {
  const row = yield* first(
    `SELECT t.user_id, t.device_id, t.kind, t.expires_ts, t.pair, t.exchanged,
       a.deactivated, a.locked, a.suspended, a.admin, a.guest
     FROM tokens t JOIN accounts a ON a.user_id = t.user_id WHERE t.digest = ?1`,
    digest,
  )
  if (!row) return undefined
  return {
    user: row.user_id as string,
    device: row.device_id as string,
    kind: row.kind as TokenRow['kind'],
    expiresTs: row.expires_ts as number | null,
    pair: row.pair as string | null,
    exchanged: row.exchanged === 1,
    deactivated: row.deactivated === 1,
    locked: row.locked === 1,
    suspended: row.suspended === 1,
    admin: row.admin === 1,
    guest: row.guest === 1,
  }
})

export const registrationToken = query('accounts.registrationToken', 'small', function* (token: string): Sql<
  RegistrationTokenRow | undefined
> {
  const row = yield* first('SELECT * FROM registration_tokens WHERE token = ?1', token)
  if (!row) return undefined
  return {
    token: row.token as string,
    usesAllowed: row.uses_allowed as number | null,
    pending: row.pending as number,
    completed: row.completed as number,
    expiresTs: row.expires_ts as number | null,
    admin: row.admin === 1,
  }
})

export const profileOf = query('accounts.profile', 'small', function* (user: string): Sql<
  ProfileRow | undefined
> {
  const row = yield* first('SELECT user_id, fields FROM profiles WHERE user_id = ?1', user)
  return row && { user: row.user_id as string, fields: row.fields as string }
})

export const uiaSession = query('accounts.uia', 'small', function* (session: string): Sql<
  string | undefined
> {
  const row = yield* first('SELECT data FROM uia_sessions WHERE session = ?1', session)
  return row?.data as string | undefined
})

/* Asked only while there is no account, so that the table is small. */
export const unusedAdminToken = query('accounts.unusedAdminToken', 'small', function* (): Sql<
  string | undefined
> {
  const row = yield* first(
    'SELECT token FROM registration_tokens WHERE admin = 1 AND completed = 0 AND expires_ts IS NULL LIMIT 1',
  )
  return row?.token as string | undefined
})
