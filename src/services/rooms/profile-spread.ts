/** Carries a changed display name or avatar into the member events of the user's rooms, as a durable job. */
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { type JsonObject, member } from '#/protocol/json/value.ts'
import type { JobHandler } from '../jobs/scheduler.ts'
import type { MembershipService } from './membership.ts'

export const PROFILE_SPREAD_KIND = 'profile.spread'

/** The operation that plans the spreading; it belongs into the plan that changes the profile. */
export function profileSpreadOp(userId: string, now: number): Op {
  return { op: 'job.put', kind: PROFILE_SPREAD_KIND, key: userId, dueTs: now, data: '{}' }
}

/**
 * Guard: the profile is still what a member event was made of. A profile that is changed and spread while a join is on
 * its way would else never reach that room.
 */
export function profileGuard(user: string, said: JsonObject): Op {
  const text = (key: string): string | null => {
    const value = member(said, key)
    return typeof value === 'string' ? value : null
  }
  return { op: 'profile.says', user, displayName: text('displayname'), avatarUrl: text('avatar_url') }
}

/** Sends a member event in each room whose event says something else; running twice sends nothing twice. */
export function profileSpreadHandler(deps: { store: Store; membership: MembershipService }): JobHandler {
  return async (job) => {
    const user = job.key as UserId
    for (const row of await deps.store.rooms.membershipsOf(user)) {
      if (row.membership !== 'join') continue
      try {
        /* Who leaves just now must not be joined again. */
        await deps.membership.renew(user, row.roomId)
      } catch (error) {
        /* The room's rules refuse it, now and later: the old name stays there. */
        if (!(error instanceof MatrixError) || error.errcode !== 'M_FORBIDDEN') throw error
      }
    }
    return undefined
  }
}
