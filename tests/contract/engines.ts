/** The engines that keep the store's contract, each with a fresh database per suite. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe } from 'node:test'
import pg from 'pg'
import { realWorld } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import { openPostgres } from '#/storage/postgres/store.ts'
import { openSqlite, openSqliteInline } from '#/storage/sqlite/store.ts'
import { postgresSkip, testDatabase } from '../support/test-postgres.ts'

export const SERVER = 'contract.example'

const onFatal = (error: Error): void => {
  throw error
}

/** A store and a look at its tables that does not go through it. */
export interface Bench extends AsyncDisposable {
  readonly store: Store
  /** Rows by table. */
  counts(): Promise<Record<string, number>>
}

interface Engine {
  readonly name: string
  readonly skip: string | false
  open(): Promise<Bench>
}

function countSqlite(path: string): Record<string, number> {
  const db = new DatabaseSync(path)
  try {
    const tables = db.prepare(`SELECT name FROM sqlite_master WHERE type = 'table'`).all()
    return Object.fromEntries(
      tables.map(({ name }) => [
        String(name),
        Number(db.prepare(`SELECT COUNT(*) AS n FROM ${name}`).get()?.['n']),
      ]),
    )
  } finally {
    db.close()
  }
}

let memories = 0

const ENGINES: readonly Engine[] = [
  {
    name: 'SQLite with threads',
    skip: false,
    async open() {
      const folder = mkdtempSync(join(tmpdir(), 'myelin-contract-'))
      const path = join(folder, 'store.db')
      const store = await openSqlite({ path, serverName: SERVER, world: realWorld, onFatal })
      return {
        store,
        counts: async () => countSqlite(path),
        async [Symbol.asyncDispose]() {
          await store[Symbol.asyncDispose]()
          rmSync(folder, { recursive: true })
        },
      }
    },
  },
  {
    name: 'SQLite in line',
    skip: false,
    async open() {
      const path = `file:/contract-${process.pid}-${++memories}?vfs=memdb`
      const keepsIt = new DatabaseSync(path)
      const store = openSqliteInline({ path, serverName: SERVER, world: realWorld, pauseMsMax: 0 })
      return {
        store,
        counts: async () => countSqlite(path),
        async [Symbol.asyncDispose]() {
          await store[Symbol.asyncDispose]()
          keepsIt.close()
        },
      }
    },
  },
  {
    name: 'PostgreSQL',
    skip: postgresSkip,
    async open() {
      const database = await testDatabase()
      const store = await openPostgres({
        target: { connectionString: database.url },
        serverName: SERVER,
        world: realWorld,
        onFatal,
      })
      return {
        store,
        counts: () => countPostgres(database.url),
        async [Symbol.asyncDispose]() {
          await store[Symbol.asyncDispose]()
          await database[Symbol.asyncDispose]()
        },
      }
    },
  },
]

async function countPostgres(url: string): Promise<Record<string, number>> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const tables = await client.query<{ name: string }>(
      `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`,
    )
    const counts: Record<string, number> = {}
    for (const { name } of tables.rows) {
      const { rows } = await client.query<{ n: string }>(`SELECT COUNT(*) AS n FROM ${name}`)
      counts[name] = Number(rows[0]?.n)
    }
    return counts
  } finally {
    await client.end()
  }
}

/** Declares a suite for every engine. `bench()` gives the suite's own store, made before its first test. */
export function onEveryEngine(name: string, declare: (bench: () => Bench) => void): void {
  for (const engine of ENGINES) {
    describe(`${name}, ${engine.name}`, { skip: engine.skip }, () => {
      let bench: Bench | undefined
      before(async () => {
        bench = await engine.open()
      })
      after(async () => {
        await bench?.[Symbol.asyncDispose]()
      })
      declare(() => {
        if (!bench) throw new Error('the store is open only inside a test')
        return bench
      })
    })
  }
}
