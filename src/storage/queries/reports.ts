/** Reading reports. */
import type { ReportKind, ReportPage, ReportRow } from '#/ports/store/reports.ts'
import { first, type Row, run, type Sql, type SqlValue } from '../sql/sql.ts'
import { query } from './query.ts'

const REPORT = `SELECT p.nid, p.kind, p.ts, p.reporter, p.room, r.room_id, p.event_id, p.target, p.reason, p.score
  FROM reports p LEFT JOIN rooms r ON r.nid = p.room`

function reportFrom(row: Row): ReportRow {
  return {
    nid: row.nid as number,
    kind: row.kind as ReportKind,
    ts: row.ts as number,
    reporter: row.reporter as string,
    room: row.room as number,
    roomId: row.room_id as string | null,
    event: row.event_id as string | null,
    target: row.target as string | null,
    reason: row.reason as string | null,
    score: row.score as number | null,
  }
}

export const reportByNid = query('reports.byNid', 'small', function* (nid: number): Sql<
  ReportRow | undefined
> {
  const row = yield* first(`${REPORT} WHERE p.nid = ?1`, nid)
  return row && reportFrom(row)
})

export const reportPage = query('reports.page', 'large', function* (page: ReportPage): Sql<ReportRow[]> {
  const params: SqlValue[] = [page.kind, page.limit]
  const forward = page.dir === 'f'
  const where = (column: string, operator: string, value: SqlValue | undefined): string => {
    if (value === undefined) return ''
    params.push(value)
    return ` AND p.${column} ${operator} ?${params.length}`
  }
  const narrowed =
    where('nid', forward ? '>' : '<', page.from) +
    where('reporter', '=', page.reporter) +
    where('room', '=', page.room)
  const rows = yield* run(
    `${REPORT} WHERE p.kind = ?1${narrowed} ORDER BY p.nid ${forward ? 'ASC' : 'DESC'} LIMIT ?2`,
    ...params,
  )
  return rows.map(reportFrom)
})
