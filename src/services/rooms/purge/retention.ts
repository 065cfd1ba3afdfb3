/** The jobs that delete messages whose time is over, by m.room.retention and the configured policy. */
import { type Clock, turn } from '#/base/world.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { RoomRow } from '#/ports/store/rooms.ts'
import type { Store } from '#/ports/store/store.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import type { JobHandler } from '../../jobs/scheduler.ts'
import { RETENTION_JOBS_MAX, RETENTION_ROOMS_PER_READ } from '../limits.ts'
import { purgeJob } from './purge.ts'
import { isOfJob, maxLifetimeMs, type RetentionJob, type RetentionPolicy } from './retention-policy.ts'

export const RETENTION_KIND = 'retention'

/** `retention` of the configuration. */
export interface RetentionOptions extends RetentionPolicy {
  readonly jobs: readonly RetentionJob[]
}

export interface RetentionDeps {
  readonly store: Store
  readonly clock: Clock
  /** Undefined keeps everything. */
  readonly options: RetentionOptions | undefined
  /** Durable jobs were added. */
  readonly onJob: () => void
}

/** Plans the first run of jobs that are new; a job that is configured no more ends when its time comes. */
export async function ensureRetention({ store, clock, options }: RetentionDeps): Promise<void> {
  const jobs = options?.jobs ?? []
  const planned = await store.jobs.due(Number.MAX_SAFE_INTEGER, RETENTION_JOBS_MAX, [RETENTION_KIND])
  const known = new Map(planned.map((row) => [row.key, row.dueTs]))
  const ops: Op[] = []
  for (const [i, job] of jobs.entries()) {
    const key = String(i)
    const dueTs = clock.now() + job.intervalMs
    /* A restart does not put a job off, and a shorter interval counts at once. */
    if ((known.get(key) ?? Number.POSITIVE_INFINITY) <= dueTs) continue
    ops.push({ op: 'job.put', kind: RETENTION_KIND, key, dueTs, data: '{}' })
  }
  if (ops.length > 0) await store.commit({ lane: 'jobs', ops })
}

/** Looks at every room and plans a purge where messages have become too old. */
export function retentionHandler({ store, clock, options, onJob }: RetentionDeps): JobHandler {
  return async (row) => {
    const job = options?.jobs[Number(row.key)]
    if (!options || !job) return undefined
    let after = 0
    for (;;) {
      const rooms = await store.rooms.page(after, RETENTION_ROOMS_PER_READ)
      const now = clock.now()
      const ops: Op[] = []
      for (const room of rooms) {
        const lifetime = maxLifetimeMs(options, await contentOf(store, room))
        if (lifetime === undefined || !isOfJob(job, lifetime)) continue
        ops.push(purgeJob(room.nid, now - lifetime, now))
      }
      if (ops.length > 0) await store.commit({ lane: 'jobs', ops })
      const last = rooms.at(-1)
      if (!last || rooms.length < RETENTION_ROOMS_PER_READ) break
      after = last.nid
      await turn(clock)
    }
    onJob()
    return clock.now() + job.intervalMs
  }
}

async function contentOf(store: Store, room: RoomRow): Promise<JsonObject | undefined> {
  const [row] = await store.state.current(room.nid, [['m.room.retention', '']])
  return row && (JSON.parse(row.json) as { content?: JsonObject }).content
}
