/** Carries a changed display name or avatar into the member events of the user's rooms, as a durable job. */
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { type JsonObject, member } from '#/protocol/json/value.ts'
import type { JobHandler } from '../jobs/scheduler.ts'
import type { MembershipService } from './membership.ts'

export const PROFILE_SPREAD_KIND = 'profile.spread'

/** Members of a profile that member events carry. */
export type MemberField = 'displayname' | 'avatar_url'

/** What of a changed profile goes into the member events of a user. */
export interface ProfileSpread {
  /** Absent for both. */
  readonly field?: MemberField
  /** Only where the member event says this of the field, null for nothing; absent for everywhere. */
  readonly before?: string | null
}

/** Kept in the job. */
interface SpreadData extends ProfileSpread {
  /** Absent in jobs of before, whose key it is. */
  readonly user?: UserId
}

/** The operation that plans the spreading; it belongs into the plan that changes the profile. */
export function profileSpreadOp(user: UserId, now: number, spread: ProfileSpread = {}): Op {
  const { field, before } = spread
  /* Changes that depend on what was said before do not stand in for each other. */
  const key = [user, field ?? '', before === undefined ? '' : now].join(' ').trimEnd()
  const data: SpreadData = { user, ...spread }
  return { op: 'job.put', kind: PROFILE_SPREAD_KIND, key, dueTs: now, data: JSON.stringify(data) }
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
    const { user = job.key as UserId, ...spread } = JSON.parse(job.data) as SpreadData
    for (const row of await deps.store.rooms.membershipsOf(user)) {
      if (row.membership !== 'join') continue
      try {
        /* Who leaves just now must not be joined again. */
        await deps.membership.renew(user, row.roomId, spread)
      } catch (error) {
        /* The room's rules refuse it, now and later: the old name stays there. */
        if (!(error instanceof MatrixError) || error.errcode !== 'M_FORBIDDEN') throw error
      }
    }
    return undefined
  }
}
