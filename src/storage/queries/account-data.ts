/** Reading account data, filters and timed work. */
import type { AccountDataRow, AccountDataSize } from '#/ports/store/account-data.ts'
import type { JobRow } from '#/ports/store/jobs.ts'
import { first, lists, placeholders, type Row, run, type Sql } from '../sql/sql.ts'
import { query } from './query.ts'

function accountDataFrom(row: Row): AccountDataRow {
  return {
    room: row.room as number,
    type: row.type as string,
    content: row.content as string,
    position: row.pos as number,
  }
}

export const accountDataGet = query(
  'accountData.get',
  'small',
  function* (user: string, room: number, type: string): Sql<AccountDataRow | undefined> {
    const row = yield* first(
      `SELECT room, type, content, pos FROM account_data
       WHERE user_id = ?1 AND room = ?2 AND type = ?3 AND deleted = 0`,
      user,
      room,
      type,
    )
    return row && accountDataFrom(row)
  },
)

export const accountDataSince = query(
  'accountData.since',
  'large',
  function* (user: string, after: number, upto: number): Sql<AccountDataRow[]> {
    const rows = yield* run(
      `SELECT room, type, content, pos FROM account_data
       WHERE user_id = ?1 AND pos > ?2 AND pos <= ?3 AND (deleted = 0 OR ?2 > 0) ORDER BY pos`,
      user,
      after,
      upto,
    )
    return rows.map(accountDataFrom)
  },
)

export const accountDataOfType = query(
  'accountData.ofType',
  'large',
  function* (user: string, type: string): Sql<AccountDataRow[]> {
    const rows = yield* run(
      'SELECT room, type, content, pos FROM account_data WHERE user_id = ?1 AND type = ?2',
      user,
      type,
    )
    return rows.map(accountDataFrom)
  },
)

export const accountDataOfRooms = query(
  'accountData.ofRooms',
  'large',
  function* (user: string, rooms: readonly number[]): Sql<AccountDataRow[]> {
    const found: AccountDataRow[] = []
    for (const list of lists([...new Set(rooms)])) {
      const rows = yield* run(
        `SELECT room, type, content, pos FROM account_data
         WHERE user_id = ?1 AND deleted = 0 AND room IN (${placeholders(2, list.length)})`,
        user,
        ...list,
      )
      for (const row of rows) found.push(accountDataFrom(row))
    }
    return found
  },
)

export const accountDataSize = query(
  'accountData.size',
  'large',
  function* (user: string): Sql<AccountDataSize> {
    const row = yield* first(
      `SELECT COUNT(*) AS items, CAST(COALESCE(SUM(octet_length(content)), 0) AS BIGINT) AS bytes
     FROM account_data WHERE user_id = ?1`,
      user,
    )
    return { items: row?.items as number, bytes: row?.bytes as number }
  },
)

export const filterById = query('accountData.filter', 'small', function* (user: string, id: number): Sql<
  string | undefined
> {
  const row = yield* first('SELECT json FROM filters WHERE user_id = ?1 AND nid = ?2', user, id)
  return row?.json as string | undefined
})

/** The condition that a job is of one of the kinds; their parameters begin at `from`. Without kinds every job is. */
function ofKinds(kinds: readonly string[] | undefined, from: number): string {
  if (kinds === undefined) return '1 = 1'
  return kinds.length === 0 ? '1 = 0' : `kind IN (${placeholders(from, kinds.length)})`
}

export const jobsDue = query(
  'jobs.due',
  'small',
  function* (now: number, limit: number, kinds?: readonly string[]): Sql<JobRow[]> {
    const rows = yield* run(
      `SELECT kind, key, due_ts, attempts, data FROM jobs
     WHERE due_ts <= ?1 AND ${ofKinds(kinds, 3)} ORDER BY due_ts LIMIT ?2`,
      now,
      limit,
      ...(kinds ?? []),
    )
    return rows.map((row) => ({
      kind: row.kind as string,
      key: row.key as string,
      dueTs: row.due_ts as number,
      data: row.data as string,
      attempts: row.attempts as number,
    }))
  },
)

export const jobsNext = query('jobs.next', 'small', function* (kinds?: readonly string[]): Sql<
  number | undefined
> {
  const row = yield* first(`SELECT MIN(due_ts) AS due FROM jobs WHERE ${ofKinds(kinds, 1)}`, ...(kinds ?? []))
  return (row?.due as number | null) ?? undefined
})
