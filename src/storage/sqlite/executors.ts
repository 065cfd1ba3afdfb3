/** Where groups are applied and long reads run: on threads in a real server, in line in the simulator. */
import type { Worker } from 'node:worker_threads'
import { StoreError } from '#/base/store-error.ts'
import type { World } from '#/base/world.ts'
import type { Plan } from '#/ports/store/plan.ts'
import { QUEUED_READS_MAX } from '../limits.ts'
import type { GroupOutcome } from '../outcome.ts'
import type { Query } from '../queries/query.ts'
import { startThread } from '../start-thread.ts'
import type { Connection } from './connection.ts'
import {
  type FromReader,
  type FromWriter,
  type Group,
  packPlans,
  type ReaderData,
  type ToReader,
  type ToWriter,
  type WriterData,
} from './messages.ts'
import { readOn } from './read-on.ts'
import type { WriterCore } from './writer-core.ts'

/** Applies one group; resolves after its fsync. */
export interface WriteExecutor {
  apply(plans: readonly Plan[]): Promise<GroupOutcome>
  /** Whether this many groups may be under way at once. */
  readonly depth: number
  close(): Promise<void>
}

export interface ReadExecutor {
  read<Args extends readonly unknown[], T>(query: Query<Args, T>, args: Args): Promise<T>
  close(): Promise<void>
}

/** Raised when the writer can no longer say what is on disk; the process must end. */
export class FatalStoreError extends StoreError {
  constructor(message: string) {
    super('unavailable', message)
    this.name = 'FatalStoreError'
  }
}

interface Waiting<T> {
  readonly resolve: (value: T) => void
  readonly reject: (error: Error) => void
}

/** Small young generations: what the threads make is short-lived, and large ones would only stay resident. */
const THREAD_MEMORY = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 1024 }

/** A thread of its own for the one connection that writes. */
export function threadWriter(data: WriterData): WriteExecutor {
  const worker = startThread(new URL('./writer-thread.ts', import.meta.url), {
    workerData: data,
    name: 'writer',
    resourceLimits: THREAD_MEMORY,
  })
  const waiting = new Map<number, Waiting<GroupOutcome>>()
  let lastId = 0
  let closed: (() => void) | undefined
  const failAll = (error: Error): void => {
    for (const { reject } of waiting.values()) reject(error)
    waiting.clear()
  }
  worker.on('message', (message: FromWriter) => {
    if (message === 'closed') return closed?.()
    const waiter = waiting.get(message.id)
    waiting.delete(message.id)
    if (!waiter) return
    if ('group' in message) waiter.resolve(JSON.parse(message.group) as Group)
    else {
      const { message: text, fatal } = message.error
      waiter.reject(fatal ? new FatalStoreError(text) : new StoreError('unavailable', text))
    }
  })
  worker.on('error', (error) => failAll(new FatalStoreError(`the writer thread failed: ${error}`)))
  worker.on('exit', () => failAll(new StoreError('closed', 'the writer thread has ended')))
  worker.unref()
  return {
    /* One group at a time: the next gathers meanwhile, which is larger and shares more. */
    depth: 1,
    apply(plans) {
      return new Promise((resolve, reject) => {
        const id = ++lastId
        waiting.set(id, { resolve, reject })
        worker.ref()
        worker.postMessage({ id, ...packPlans(plans) } satisfies ToWriter)
      })
    },
    async close() {
      const done = new Promise<void>((resolve) => {
        closed = resolve
        worker.once('exit', () => resolve())
      })
      worker.ref()
      worker.postMessage('close' satisfies ToWriter)
      await done
    },
  }
}

/** Applies groups here, each after a pause that the world's seed decides. */
export function inlineWriter(core: WriterCore, world: World, pauseMsMax: number): WriteExecutor {
  return {
    depth: 1,
    apply(plans) {
      return new Promise((resolve, reject) => {
        const pause = pauseMsMax === 0 ? 0 : world.rng.below(pauseMsMax + 1)
        world.clock.after(pause, () => {
          try {
            resolve(core.applyGroup(plans))
          } catch (error) {
            reject(error as Error)
          }
        })
      })
    },
    close: async () => {},
  }
}

/** Reader threads, started when first needed and then kept. */
export function threadReaders(data: ReaderData, count: number): ReadExecutor {
  const threads: Worker[] = []
  const waiting = new Map<number, Waiting<unknown> & { pages: unknown[] }>()
  const load: number[] = []
  let lastId = 0

  const start = (index: number): Worker => {
    const worker = startThread(new URL('./reader-thread.ts', import.meta.url), {
      workerData: data,
      name: `reader-${index}`,
      resourceLimits: THREAD_MEMORY,
    })
    worker.unref()
    worker.on('message', (message: FromReader) => settle(index, message))
    worker.on('error', (error) => {
      delete threads[index]
      for (const [id, waiter] of waiting) {
        if (id % count !== index) continue
        waiting.delete(id)
        waiter.reject(new StoreError('unavailable', `a reader thread failed: ${error}`))
      }
      load[index] = 0
    })
    threads[index] = worker
    load[index] = 0
    return worker
  }

  const settle = (index: number, message: FromReader): void => {
    const waiter = waiting.get(message.id)
    if (!waiter) return
    if ('page' in message) {
      for (const item of message.page) waiter.pages.push(item)
      if (!message.last) return
    }
    waiting.delete(message.id)
    load[index] = (load[index] ?? 1) - 1
    if ('error' in message) waiter.reject(new StoreError(message.error.kind, message.error.message))
    else waiter.resolve('page' in message ? waiter.pages : message.value)
  }

  return {
    read(query, args) {
      if (waiting.size >= QUEUED_READS_MAX) {
        return Promise.reject(new StoreError('busy', 'too many reads wait for the reader threads'))
      }
      let index = 0
      for (let i = 1; i < count; i++) if ((load[i] ?? 0) < (load[index] ?? 0)) index = i
      const worker = threads[index] ?? start(index)
      load[index] = (load[index] ?? 0) + 1
      /* The thread is the id's remainder, so that a lost thread's questions can be told apart. */
      lastId += count
      const id = lastId + index
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve: resolve as (value: unknown) => void, reject, pages: [] })
        worker.ref()
        worker.postMessage({ id, name: query.name, args } satisfies ToReader)
      })
    },
    async close() {
      await Promise.all(
        threads.filter(Boolean).map((worker) => {
          const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
          worker.postMessage('close')
          return ended
        }),
      )
    },
  }
}

/** Reads on the given connection, for the simulator. */
export function inlineReaders(connection: Connection): ReadExecutor {
  return {
    read: async (query, args) => readOn(connection, query, args),
    close: async () => {},
  }
}
