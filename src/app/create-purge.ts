/** Builds what deletes old history and rooms, with its jobs. */
import type { Clock } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import type { JobScheduler } from '#/services/jobs/scheduler.ts'
import { DELETE_KIND } from '#/services/rooms/delete-kind.ts'
import { PURGE_KIND, PurgeService } from '#/services/rooms/purge/purge.ts'
import {
  ensureRetention,
  RETENTION_KIND,
  type RetentionOptions,
  retentionHandler,
} from '#/services/rooms/purge/retention.ts'
import type { RoomWriter } from '#/services/rooms/room-writer.ts'
import type { Feed } from '#/services/sync/feed.ts'

/** The service for whoever may purge; its jobs are named, those of retention planned. */
export async function createPurge(deps: {
  readonly store: Store
  readonly clock: Clock
  readonly jobs: JobScheduler
  readonly writer: RoomWriter
  readonly feed: Feed
  readonly retention: RetentionOptions | undefined
}): Promise<PurgeService> {
  const { store, clock, jobs, writer, feed } = deps
  const onJob = (): void => jobs.poke()
  const purge = new PurgeService({
    store,
    clock,
    onJob,
    onPurged: (room) => feed.forgetEvents(room),
    onDeleted(roomId, room) {
      writer.forget(roomId)
      feed.forgetEvents(room)
    },
  })
  jobs.handle(PURGE_KIND, purge.purgeHandler())
  jobs.handle(DELETE_KIND, purge.deleteHandler())
  const retention = { store, clock, onJob, options: deps.retention }
  jobs.handle(RETENTION_KIND, retentionHandler(retention))
  await ensureRetention(retention)
  return purge
}
