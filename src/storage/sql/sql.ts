/**
 * One SQL text for both engines. A query or an operation is a generator that yields statements and receives their
 * rows; the SQLite driver runs it synchronously on its thread, the PostgreSQL driver awaits each statement.
 */

/** A value as both engines take it. Booleans are 0 and 1; integers stay within ±(2^53-1). */
export type SqlValue = string | number | null | Uint8Array

/** A row by column name. */
export type Row = Record<string, SqlValue>

/** `text` has placeholders `?1`, `?2`, … in the order of `params`. */
export interface Statement {
  readonly text: string
  readonly params: readonly SqlValue[]
}

/** A computation that talks to the database: yields statements, receives their rows, returns `T`. */
export type Sql<T> = Generator<Statement, T, Row[]>

/**
 * Yielded between stretches of long work on what was read: where a computation runs on the thread that serves
 * requests, those go first.
 */
export const PAUSE: Statement = { text: '', params: [] }

/** Runs one statement and gives its rows. */
export function* run(text: string, ...params: SqlValue[]): Sql<Row[]> {
  return yield { text, params }
}

/** The first row of a statement, if there is one. */
export function* first(text: string, ...params: SqlValue[]): Sql<Row | undefined> {
  const rows = yield { text, params }
  return rows[0]
}

/** Drives a computation over a synchronous executor. */
export function runSync<T>(sql: Sql<T>, execute: (statement: Statement) => Row[]): T {
  let step = sql.next()
  while (!step.done) {
    let rows: Row[]
    try {
      rows = step.value === PAUSE ? [] : execute(step.value)
    } catch (error) {
      step = sql.throw(error)
      continue
    }
    step = sql.next(rows)
  }
  return step.value
}

/** Drives a computation over an asynchronous executor. `pause` lets others go first. */
export async function runAsync<T>(
  sql: Sql<T>,
  execute: (statement: Statement) => Promise<Row[]>,
  pause: () => Promise<void> = async () => {},
): Promise<T> {
  let step = sql.next()
  while (!step.done) {
    let rows: Row[]
    try {
      if (step.value === PAUSE) await pause()
      rows = step.value === PAUSE ? [] : await execute(step.value)
    } catch (error) {
      step = sql.throw(error)
      continue
    }
    step = sql.next(rows)
  }
  return step.value
}

/** The list `?from, …, ?(from+count-1)` for an IN clause. */
export function placeholders(from: number, count: number): string {
  let text = `?${from}`
  for (let i = 1; i < count; i++) text += `, ?${from + i}`
  return text
}

/** Values of one IN clause or VALUES list; more go into several statements. */
export const LIST_MAX = 128

/**
 * Cuts values into lists for `placeholders`. Each is filled up to a power of two by its last value, so that there are
 * few different texts to prepare; who reads must not mind a value that comes twice.
 */
export function* lists<T>(values: readonly T[]): Generator<T[]> {
  for (let at = 0; at < values.length; at += LIST_MAX) {
    const list = values.slice(at, at + LIST_MAX)
    let size = 1
    while (size < list.length) size *= 2
    while (list.length < size) list.push(list.at(-1)!)
    yield list
  }
}

/** `(?from, ?from+1), …`: `count` pairs for a VALUES list, whose columns are column1 and column2 in both engines. */
export function pairs(from: number, count: number): string {
  let text = `(?${from}, ?${from + 1})`
  for (let i = 1; i < count; i++) text += `, (?${from + 2 * i}, ?${from + 2 * i + 1})`
  return text
}

/** Cuts values into lists of powers of two: for statements that must not see a value twice. */
export function* exactLists<T>(values: readonly T[], most: number = LIST_MAX): Generator<T[]> {
  let size = most
  for (let at = 0; at < values.length; at += size) {
    while (size > values.length - at) size /= 2
    yield values.slice(at, at + size)
  }
}

/** Selects that one UNION ALL joins. */
const UNION_MAX = 32

/**
 * Runs a select for each of some values in few statements; gives rows by the value's index. `select(n)` is the text
 * for which `?n` stands for the value; `shared` are its other parameters, `?1` and on.
 */
export function* runEach(
  values: readonly number[],
  shared: readonly SqlValue[],
  select: (placeholder: string) => string,
): Sql<Row[][]> {
  const found: Row[][] = values.map(() => [])
  let at = 0
  for (const list of exactLists(values, UNION_MAX)) {
    const parts = list.map(
      (_, i) => `SELECT * FROM (SELECT ${i} AS ask, ${select(`?${shared.length + 1 + i}`)}) AS of_${i}`,
    )
    const rows = yield* run(parts.join(' UNION ALL '), ...shared, ...list)
    for (const row of rows) found[at + (row.ask as number)]!.push(row)
    at += list.length
  }
  return found
}

/** `(?from, ?from+1, …), …`: rows of integers for a VALUES list, `width` columns each. */
export function integers(from: number, count: number, width: number): string {
  const rows: string[] = []
  for (let i = 0; i < count; i++) {
    const cells: string[] = []
    for (let c = 0; c < width; c++) cells.push(`CAST(?${from + i * width + c} AS BIGINT)`)
    rows.push(`(${cells.join(', ')})`)
  }
  return rows.join(', ')
}
