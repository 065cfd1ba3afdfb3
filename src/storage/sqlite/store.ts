/** The embedded engine: one writer thread, small reads here, long reads on reader threads. */
import { StoreError } from '#/base/store-error.ts'
import type { World } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import { Announcer } from '../announcer.ts'
import type { Faults } from '../faults.ts'
import { READER_THREADS_DEFAULT } from '../limits.ts'
import { inspectSchema, migrate, type OpenedSchema, readMeta } from '../migrations/index.ts'
import { readerOver } from '../reader.ts'
import { WriteQueue } from '../write-queue.ts'
import { Connection } from './connection.ts'
import {
  inlineReaders,
  inlineWriter,
  type ReadExecutor,
  threadReaders,
  threadWriter,
  type WriteExecutor,
} from './executors.ts'
import { lockDatabase } from './lock.ts'
import { readOn } from './read-on.ts'
import { WriterCore } from './writer-core.ts'

export interface SqliteOptions {
  /** File path of the database. */
  readonly path: string
  readonly serverName: string
  readonly world: World
  readonly readerThreads?: number
  /** Called when it is no longer known what is on disk; the process must stop. */
  readonly onFatal: (error: Error) => void
}

/** Opens a database file, making or migrating it first. Throws a StoreError `refused` when it is not ours. */
export async function openSqlite(options: SqliteOptions): Promise<Store> {
  const lock = lockDatabase(options.path)
  try {
    const meta = prepare(options.path, options.serverName)
    const writer = threadWriter({ path: options.path, position: meta.position })
    const readers = threadReaders({ path: options.path }, options.readerThreads ?? READER_THREADS_DEFAULT)
    const local = new Connection({ path: options.path, readOnly: true })
    const announcer = new Announcer(meta.position)
    const queue = new WriteQueue(writer, options.world.clock, announcer, options.onFatal)
    return assemble({ queue, announcer, writer, readers, local, meta, release: lock.release })
  } catch (error) {
    lock.undo()
    throw withPath(options.path, error)
  }
}

export interface InlineOptions {
  /** A memdb name (`file:/name?vfs=memdb`) or a file path. */
  readonly path: string
  readonly serverName: string
  readonly world: World
  /** Longest pause before a group is applied, in milliseconds of the world's clock. */
  readonly pauseMsMax: number
  readonly faults?: Faults
}

/** The same engine on the calling thread, for the simulator: no threads, pauses from the world's seed. */
export function openSqliteInline(options: InlineOptions): Store {
  const meta = prepare(options.path, options.serverName)
  const connection = new Connection({ path: options.path })
  const core = new WriterCore(connection, meta.position, options.faults)
  const writer = inlineWriter(core, options.world, options.pauseMsMax)
  const local = new Connection({ path: options.path, readOnly: true })
  const announcer = new Announcer(meta.position)
  const queue = new WriteQueue(writer, options.world.clock, announcer, (error) => {
    throw error
  })
  const readers = inlineReaders(local)
  return assemble({ queue, announcer, writer, readers, local, meta, release: () => connection.close() })
}

/** Checks and migrates before any thread opens the file. */
function prepare(path: string, serverName: string): OpenedSchema {
  const connection = openForSchema(path)
  try {
    const from = connection.run(inspectSchema('sqlite', serverName))
    connection.prepareForWriting()
    connection.run(migrate('sqlite', serverName, from))
    return connection.run(readMeta())
  } finally {
    connection.close()
  }
}

/** SQLite's own errors name no file. */
function withPath(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof StoreError || !('errcode' in error)) return error
  return new StoreError('refused', `the database ${path} cannot be used: ${error.message}`, { cause: error })
}

function openForSchema(path: string): Connection {
  try {
    return new Connection({ path })
  } catch (error) {
    throw new StoreError('refused', `the database ${path} cannot be opened: ${(error as Error).message}`)
  }
}

interface Parts {
  readonly queue: WriteQueue
  readonly announcer: Announcer
  readonly writer: WriteExecutor
  readonly readers: ReadExecutor
  readonly local: Connection
  readonly meta: OpenedSchema
  readonly release: () => void
}

function assemble({ queue, announcer, writer, readers, local, meta, release }: Parts): Store {
  const reader = readerOver((query, args) => {
    if (query.readClass === 'large') return readers.read(query, args)
    try {
      return Promise.resolve(readOn(local, query, args))
    } catch (error) {
      return Promise.reject(error)
    }
  })
  return {
    ...reader,
    epoch: meta.epoch,
    commit: (plan) => queue.commit(plan),
    position: () => announcer.position,
    onChange: (listener) => announcer.onChange(listener),
    health: () => announcer.health(),
    async [Symbol.asyncDispose]() {
      await queue.close()
      await readers.close()
      /* The writer last: whoever closes last empties the log into the database, and a reader cannot. */
      local.close()
      await writer.close()
      release()
    },
  }
}
