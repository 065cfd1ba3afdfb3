/** Reading login tokens, consent, erasure, monthly activity and rooms of server notices. */
import type { ConsentRow, LoginTokenRow, UsageReader } from '#/ports/store/usage.ts'
import { first, lists, placeholders, run, type Sql } from '../sql/sql.ts'
import { type Query, query } from './query.ts'

export const loginToken = query('usage.loginToken', 'small', function* (digest: string): Sql<
  LoginTokenRow | undefined
> {
  const row = yield* first('SELECT user_id, expires_ts FROM login_tokens WHERE digest = ?1', digest)
  return row && { user: row.user_id as string, expiresTs: row.expires_ts as number }
})

export const consent = query('usage.consent', 'small', function* (user: string): Sql<ConsentRow | undefined> {
  const row = yield* first('SELECT version, ts, asked FROM consents WHERE user_id = ?1', user)
  if (!row) return undefined
  return {
    version: row.version as string | null,
    ts: row.ts as number | null,
    asked: row.asked as string | null,
  }
})

export const erased = query('usage.erased', 'small', function* (users: readonly string[]): Sql<string[]> {
  const found: string[] = []
  for (const list of lists(users)) {
    const among = placeholders(1, list.length)
    const rows = yield* run(`SELECT user_id FROM erased_users WHERE user_id IN (${among})`, ...list)
    found.push(...rows.map((row) => row.user_id as string))
  }
  return found
})

export const anyErased = query('usage.anyErased', 'small', function* (): Sql<boolean> {
  return (yield* first('SELECT 1 AS one FROM erased_users LIMIT 1')) !== undefined
})

export const monthly = query('usage.monthly', 'small', function* (user: string): Sql<number | undefined> {
  const row = yield* first('SELECT ts FROM monthly_active WHERE user_id = ?1', user)
  return row?.ts as number | undefined
})

export const monthlyCount = query('usage.monthlyCount', 'large', function* (since: number): Sql<number> {
  const row = yield* first('SELECT COUNT(*) AS n FROM monthly_active WHERE ts > ?1', since)
  return Number(row?.n ?? 0)
})

export const noticesRoom = query('usage.noticesRoom', 'small', function* (user: string): Sql<
  number | undefined
> {
  const row = yield* first('SELECT room FROM notice_rooms WHERE user_id = ?1', user)
  return row?.room as number | undefined
})

export const noticesOf = query('usage.noticesOf', 'small', function* (room: number): Sql<string | undefined> {
  const row = yield* first('SELECT user_id FROM notice_rooms WHERE room = ?1 LIMIT 1', room)
  return row?.user_id as string | undefined
})

type Bind = <Args extends readonly unknown[], T>(query: Query<Args, T>) => (...args: Args) => Promise<T>

/** The reader of this noun. */
export function bindUsage(bind: Bind): UsageReader {
  return {
    loginToken: bind(loginToken),
    consent: bind(consent),
    erased: bind(erased),
    anyErased: bind(anyErased),
    monthly: bind(monthly),
    monthlyCount: bind(monthlyCount),
    noticesRoom: bind(noticesRoom),
    noticesOf: bind(noticesOf),
  }
}
