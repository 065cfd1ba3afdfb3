/**
 * Deleting old history and whole rooms, as durable jobs that go slice by slice, so that nobody waits for them.
 * docs/decisions/0011-purge.md
 */
import { type Clock, turn } from '#/base/world.ts'
import type { JobRow } from '#/ports/store/jobs.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { RoomOp } from '#/ports/store/rooms.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { JobHandler } from '../../jobs/scheduler.ts'
import { DELETE_KIND } from '../delete-kind.ts'
import { CLEAR_ROWS, PURGE_ROWS, PURGE_SLICES_PER_RUN } from '../limits.ts'

export const PURGE_KIND = 'rooms.purge'

type Purge = Extract<RoomOp, { op: 'room.purge' }>

/** What a purge job remembers. */
interface Progress {
  /** Milliseconds: what was sent before goes. */
  readonly before: number
  /** Server whose events stay. */
  readonly keepServer?: string
  readonly after?: { readonly ts: number; readonly arrival: number }
}

export interface PurgeDeps {
  readonly store: Store
  readonly clock: Clock
  /** A durable job was added. */
  readonly onJob: () => void
  /** Events of a room, named by its row id, are gone: what is kept of it in memory is not true any more. */
  readonly onPurged: (room: number) => void
  /** A room is gone. */
  readonly onDeleted: (roomId: string, room: number) => void
}

export class PurgeService {
  readonly #deps: PurgeDeps

  constructor(deps: PurgeDeps) {
    this.#deps = deps
  }

  /**
   * Plans the deletion of a room's messages sent before a time (ms); with `keepServer` those of that server stay.
   * State stays, so that what members see and who may do what does not change. Throws M_NOT_FOUND.
   */
  async history(roomId: string, before: number, keepServer?: string): Promise<void> {
    const room = await this.#deps.store.rooms.byId(roomId)
    if (!room) throw new MatrixError('M_NOT_FOUND', 'This room is not known here.')
    await this.#commit([purgeJob(room.nid, before, this.#deps.clock.now(), keepServer)])
    this.#deps.onJob()
  }

  /** Takes a room out of everybody's sight at once and plans the deletion of all its rows. Throws M_NOT_FOUND. */
  async room(roomId: string): Promise<void> {
    const { store, clock, onJob, onDeleted } = this.#deps
    const room = await store.rooms.byId(roomId)
    const key = String(room?.nid)
    const job = { op: 'job.put', kind: DELETE_KIND, key, dueTs: clock.now(), data: '{}' } as const
    const ops: Op[] = room ? [{ op: 'room.hide', room: room.nid }, job] : []
    const result = room && (await store.commit({ lane: roomId, ops }))
    if (!room || !result?.ok) throw new MatrixError('M_NOT_FOUND', 'This room is not known here.')
    onDeleted(roomId, room.nid)
    onJob()
  }

  /** Handler of PURGE_KIND. */
  purgeHandler(): JobHandler {
    return async (job) => {
      const { store, clock, onPurged } = this.#deps
      const room = Number(job.key)
      const known = await store.rooms.byNid(room)
      if (!known) return undefined
      let progress = JSON.parse(job.data) as Progress
      let gone = 0
      for (let slices = 0; slices < PURGE_SLICES_PER_RUN; slices++) {
        const op: Purge = { op: 'room.purge', room, limit: PURGE_ROWS, ...progress }
        const result = await store.commit({ lane: known.roomId, ops: [op] })
        if (!result.ok) throw new Error(`a purge met the conflict ${result.conflict}`)
        const done = result.results[0] as { gone: number; next: Progress['after'] | null }
        gone += done.gone
        if (!done.next) {
          if (gone > 0) onPurged(room)
          return undefined
        }
        progress = { ...progress, after: done.next }
        await turn(clock)
      }
      if (gone > 0) onPurged(room)
      await this.#goOn(job, progress)
      return undefined
    }
  }

  /** Handler of DELETE_KIND. */
  deleteHandler(): JobHandler {
    return async (job) => {
      const { store, clock } = this.#deps
      const room = Number(job.key)
      for (let slices = 0; slices < PURGE_SLICES_PER_RUN; slices++) {
        const op: Op = { op: 'room.clear', room, limit: CLEAR_ROWS }
        const result = await store.commit({ lane: job.key, ops: [op] })
        /* Gone means that an earlier run deleted the last row. */
        if (!result.ok || result.results[0] === 0) return undefined
        await turn(clock)
      }
      return clock.now()
    }
  }

  /** Puts a job behind others that are due, with what it knows; the new time keeps it when this run ends. */
  async #goOn(job: JobRow, progress: Progress): Promise<void> {
    const dueTs = Math.max(this.#deps.clock.now(), job.dueTs + 1)
    await this.#commit([
      { op: 'job.put', kind: job.kind, key: job.key, dueTs, data: JSON.stringify(progress) },
    ])
  }

  async #commit(ops: readonly Op[]): Promise<void> {
    const result = await this.#deps.store.commit({ lane: 'jobs', ops })
    if (!result.ok) throw new Error(`a job could not be planned: ${result.conflict}`)
  }
}

/** The operation that plans a purge. */
export function purgeJob(room: number, before: number, now: number, keepServer?: string): Op {
  const progress: Progress = { before, ...(keepServer === undefined ? {} : { keepServer }) }
  return { op: 'job.put', kind: PURGE_KIND, key: String(room), dueTs: now, data: JSON.stringify(progress) }
}
