/**
 * Reads as named values, so that the embedded engine can run them here or on another thread. `small` ones return at
 * most READ_ROWS_SMALL rows by an index and run on the calling thread; all others go to reader threads.
 */
import type { Sql } from '../sql/sql.ts'

export type ReadClass = 'small' | 'large'

export interface Query<Args extends readonly unknown[], T> {
  readonly name: string
  readonly readClass: ReadClass
  /** Whether several statements must see one state of the database. */
  readonly snapshot: boolean
  readonly run: (...args: Args) => Sql<T>
}

const registry = new Map<string, Query<readonly unknown[], unknown>>()

/** Declares a query under a unique name. */
export function query<Args extends readonly unknown[], T>(
  name: string,
  readClass: ReadClass,
  run: (...args: Args) => Sql<T>,
  options: { snapshot?: boolean } = {},
): Query<Args, T> {
  if (registry.has(name)) throw new Error(`query ${name} is declared twice`)
  const declared: Query<Args, T> = { name, readClass, snapshot: options.snapshot ?? false, run }
  registry.set(name, declared as unknown as Query<readonly unknown[], unknown>)
  return declared
}

/** The query of a name, for reader threads. */
export function queryNamed(name: string): Query<readonly unknown[], unknown> {
  const found = registry.get(name)
  if (!found) throw new Error(`no query ${name}`)
  return found
}
