/** One connection to the embedded database: its settings and prepared statements. */
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { STATEMENTS_MAX, WAL_BYTES_MAX, WAL_PAGES } from '../limits.ts'
import { checkParams } from '../sql/check.ts'
import { type Row, runSync, type Sql, type SqlValue, type Statement } from '../sql/sql.ts'

export interface ConnectionOptions {
  /** A file path, or `file:/name?vfs=memdb` for a database in memory that several connections share. */
  readonly path: string
  readonly readOnly?: boolean
  /** Page cache in KiB. */
  readonly cacheKib?: number
}

/** How long a connection waits for another one's lock. Only opening and checkpoints can make it wait. */
const BUSY_MS = 5000

export class Connection {
  readonly db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  constructor(options: ConnectionOptions) {
    this.db = new DatabaseSync(options.path, {
      readOnly: options.readOnly ?? false,
      timeout: BUSY_MS,
      enableForeignKeyConstraints: false,
    })
    this.db.exec(`PRAGMA cache_size = -${options.cacheKib ?? 4096}`)
  }

  /** Settings of the connection that writes: every commit is on disk when it returns. */
  prepareForWriting(): void {
    const pages = this.db.prepare('PRAGMA page_count').get()
    if (pages?.page_count === 0) this.db.exec('PRAGMA auto_vacuum = INCREMENTAL')
    this.db.exec('PRAGMA journal_mode = WAL')
    this.db.exec('PRAGMA synchronous = FULL')
    this.db.exec(`PRAGMA wal_autocheckpoint = ${WAL_PAGES}`)
    this.db.exec(`PRAGMA journal_size_limit = ${WAL_BYTES_MAX}`)
  }

  /** Runs one statement. Refuses values that one engine rejects and the other silently alters. */
  execute = (statement: Statement): Row[] => {
    checkParams(statement.params)
    return this.#prepared(statement.text).all(...(statement.params as SqlValue[])) as Row[]
  }

  run<T>(sql: Sql<T>): T {
    return runSync(sql, this.execute)
  }

  #prepared(text: string): StatementSync {
    let statement = this.#statements.get(text)
    if (!statement) {
      if (this.#statements.size >= STATEMENTS_MAX) this.#statements.clear()
      statement = this.db.prepare(text)
      this.#statements.set(text, statement)
    }
    return statement
  }

  close(): void {
    this.#statements.clear()
    this.db.close()
  }
}
