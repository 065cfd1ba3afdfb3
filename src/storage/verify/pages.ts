/** Walking through a table of any size, a page at a time. */
import { type Row, run, type Sql, type SqlValue } from '../sql/sql.ts'
import { VERIFY_PAGE_ROWS } from './limits.ts'
import type { Findings } from './report.ts'

/** A table walk. The text has `{after}` where the condition on the key goes, and no ORDER BY. */
export interface Walk {
  /** Name under which rows are counted, and a failure reported. */
  readonly table: string
  /** `SELECT … WHERE <condition> {after}`; the condition may use the parameters. */
  readonly text: string
  readonly params?: readonly SqlValue[]
  /** Columns of a unique key: as named in the text's FROM, and as in the result. */
  readonly key: readonly (readonly [column: string, name: string])[]
}

/** Calls `each` with every page. A row that cannot be read ends the walk with a finding. */
export function* walk(
  findings: Findings,
  table: Walk,
  each: (rows: Row[]) => Sql<void> | undefined,
): Sql<void> {
  const params = table.params ?? []
  const columns = table.key.map(([column]) => column)
  const marks = columns.map((_, i) => `?${params.length + 1 + i}`)
  const beyond = `AND (${columns.join(', ')}) > (${marks.join(', ')})`
  const order = ` ORDER BY ${columns.join(', ')} LIMIT ${VERIFY_PAGE_ROWS}`
  let after: SqlValue[] = []
  for (;;) {
    const text = table.text.replace('{after}', after.length === 0 ? '' : beyond) + order
    let rows: Row[]
    try {
      rows = yield* run(text, ...params, ...after)
    } catch (error) {
      const from = after.length === 0 ? 'its first row' : `the row behind ${after.join(', ')}`
      findings.add('database.unreadable', table.table, `from ${from} on: ${(error as Error).message}`)
      return
    }
    findings.saw(table.table, rows.length)
    const more = rows.length > 0 ? each(rows) : undefined
    if (more) yield* more
    const last = rows.at(-1)
    if (!last || rows.length < VERIFY_PAGE_ROWS) return
    after = table.key.map(([, name]) => last[name] as SqlValue)
  }
}
