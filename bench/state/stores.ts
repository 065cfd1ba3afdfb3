/** Opening either engine on a throw-away database, and what the PostgreSQL server has used. */
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { realWorld } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import { openPostgres } from '#/storage/postgres/store.ts'
import { openSqlite } from '#/storage/sqlite/store.ts'

export interface Bench extends AsyncDisposable {
  readonly store: Store
  /** Path of the SQLite file, or URL of the PostgreSQL database. */
  readonly place: string
}

const onFatal = (error: Error): void => {
  throw error
}

/** A fresh database: a file in `folder`, or one on the PostgreSQL server at `url`, dropped afterwards. */
export async function openBench(
  url: string | undefined,
  folder: string,
  more: { writers?: number } = {},
): Promise<Bench> {
  const options = { serverName: 'bench.example', world: realWorld, onFatal }
  if (url === undefined) {
    const place = join(folder, 'bench.db')
    const store = await openSqlite({ path: place, ...options })
    return { store, place, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() }
  }
  const name = `bench_${randomBytes(6).toString('hex')}`
  await ask(url, `CREATE DATABASE ${name}`)
  const place = new URL(url)
  place.pathname = `/${name}`
  const store = await openPostgres({ target: { connectionString: place.href }, ...options, ...more })
  return {
    store,
    place: place.href,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]()
      await ask(url, `DROP DATABASE ${name} WITH (FORCE)`)
    },
  }
}

/** Runs one statement on a connection of its own. */
export async function ask(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

const TICKS_PER_SECOND = 100

/** Seconds of CPU that all postgres processes of this machine have used. Those that ended are not counted. */
export function cpuOfPostgres(): number {
  let ticks = 0
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      if (!stat.includes('(postgres)')) continue
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      ticks += Number(fields[11]) + Number(fields[12])
    } catch (error) {
      if (
        (error as NodeJS.ErrnoException).code !== 'ENOENT' &&
        (error as NodeJS.ErrnoException).code !== 'ESRCH'
      )
        throw error
    }
  }
  return ticks / TICKS_PER_SECOND
}
