/** Counts the rows of a server's SQLite database, beside the server. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Rows by table of `homeserver.db` in a data folder; undefined where there is none. */
export function rowsBySqliteTable(dataDir: string | undefined): Map<string, number> | undefined {
  const path = dataDir && join(dataDir, 'homeserver.db')
  if (!path || !existsSync(path)) return undefined
  const db = new DatabaseSync(path, { readOnly: true })
  try {
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all() as {
      name: string
    }[]
    return new Map(
      tables.map(({ name }) => {
        const row = db.prepare(`SELECT count(*) AS n FROM "${name}"`).get() as { n: number }
        return [name, row.n]
      }),
    )
  } finally {
    db.close()
  }
}
