import type { Query } from '../queries/query.ts'
import type { Connection } from './connection.ts'

/** Runs a query on a connection, inside one read transaction where it must see one state of the database. */
export function readOn<Args extends readonly unknown[], T>(
  connection: Connection,
  query: Query<Args, T>,
  args: Args,
): T {
  if (!query.snapshot) return connection.run(query.run(...args))
  connection.db.exec('BEGIN')
  try {
    return connection.run(query.run(...args))
  } finally {
    connection.db.exec('COMMIT')
  }
}
