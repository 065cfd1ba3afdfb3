/** A deactivated user leaves all rooms, as a durable job. */
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { JobHandler } from '../jobs/scheduler.ts'
import type { MembershipService } from './membership.ts'

export const LEAVE_ALL_KIND = 'rooms.leave_all'

/** The operation that plans the leaving; it belongs into the plan that deactivates. */
export function leaveAllOp(userId: string, now: number): Op {
  return { op: 'job.put', kind: LEAVE_ALL_KIND, key: userId, dueTs: now, data: '{}' }
}

/** Leaves every room and refuses every invite; running twice does nothing more. */
export function leaveAllHandler(deps: { store: Store; membership: MembershipService }): JobHandler {
  return async (job) => {
    const user = job.key as UserId
    for (const row of await deps.store.rooms.membershipsOf(user)) {
      if (row.membership === 'leave' || row.membership === 'ban') continue
      const change = { roomId: row.roomId, sender: user, target: user, membership: 'leave' } as const
      try {
        await deps.membership.change(change)
      } catch (error) {
        /* A room that is busy is left when the job runs again. */
        if (!(error instanceof MatrixError) || error.errcode === 'M_LIMIT_EXCEEDED') throw error
      }
    }
    return undefined
  }
}
