/**
 * The database of a test server. SQLite in memory by default; where MYELIN_TEST_ENGINE says `postgres`, one of a pool
 * of PostgreSQL databases, so that the same tests are run on both engines.
 */
import { DatabaseSync } from 'node:sqlite'
import type { World } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import type { EngineName } from '#/storage/sql/dialect.ts'
import type { Row, Sql, SqlValue } from '#/storage/sql/sql.ts'
import { Connection } from '#/storage/sqlite/connection.ts'
import { openSqliteInline } from '#/storage/sqlite/store.ts'
import { pooledPostgres } from './pooled-postgres.ts'

/** Runs a statement (placeholders `?1`, `?2`, …) beside the server, and gives its rows. */
export type Ask = (text: string, ...params: SqlValue[]) => Promise<Row[]>

export interface TestDatabase extends AsyncDisposable {
  readonly engine: EngineName
  /** Opens it as a server does; the one opened before must be closed. */
  open(world: World): Promise<Store>
  readonly ask: Ask
  /** Runs a computation beside the server. */
  run<T>(sql: Sql<T>): Promise<T>
}

/** The engine that test servers run on. */
export const TEST_ENGINE: EngineName =
  process.env['MYELIN_TEST_ENGINE'] === 'postgres' ? 'postgres' : 'sqlite'

export async function testDatabaseOf(serverName: ServerName): Promise<TestDatabase> {
  return TEST_ENGINE === 'postgres' ? await pooledPostgres(serverName) : inMemory(serverName)
}

let databases = 0

function inMemory(serverName: ServerName): TestDatabase {
  const path = `file:/test-${process.pid}-${++databases}?vfs=memdb`
  /* A database in memory lives as long as somebody holds it open. */
  const holder = new DatabaseSync(path)
  let beside: Connection | undefined
  const connection = (): Connection => (beside ??= new Connection({ path }))
  return {
    engine: 'sqlite',
    open: async (world) => openSqliteInline({ path, serverName, world, pauseMsMax: 0 }),
    ask: async (text, ...params) => connection().execute({ text, params }),
    run: async (sql) => connection().run(sql),
    async [Symbol.asyncDispose]() {
      beside?.close()
      holder.close()
    },
  }
}
