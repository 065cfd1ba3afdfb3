/** Limits of joining and inviting, whichever endpoint they come by. */
import type { RateLimits } from '#/base/rate-limit.ts'
import type { LimitName } from '#/http/limit-names.ts'
import type { Requester } from '#/http/requester.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { MembershipService } from '#/services/rooms/membership.ts'
import { count } from '../../rate.ts'

export interface MemberLimitDeps {
  readonly limits: RateLimits<LimitName>
  readonly membership: Pick<MembershipService, 'isJoined'>
}

/**
 * Runs a join within `rc_joins.local` and `rc_joins_per_room`. Who is in the room already only renews the member
 * event and is not counted; for the room those joins count that came to pass. Throws M_LIMIT_EXCEEDED.
 */
export async function limitedJoin<T>(
  { limits, membership }: MemberLimitDeps,
  who: Requester,
  roomId: string,
  join: () => Promise<T>,
): Promise<T> {
  if (who.rateLimit === 'exempt' || (await membership.isJoined(who.userId, roomId))) return join()
  count(limits, who, 'rc_joins.local', who.userId)
  count(limits, who, 'rc_joins_per_room', roomId, true)
  const done = await join()
  limits.record('rc_joins_per_room', roomId)
  return done
}

/** Counts a knock against the limits of joins. Throws M_LIMIT_EXCEEDED. */
export function countKnock(
  { limits }: Pick<MemberLimitDeps, 'limits'>,
  who: Requester,
  roomId: string,
): void {
  count(limits, who, 'rc_joins.local', who.userId)
  count(limits, who, 'rc_joins_per_room', roomId)
}

/** Counts an invitation against `rc_invites`. Throws M_LIMIT_EXCEEDED. */
export function countInvite(
  { limits }: MemberLimitDeps,
  who: Requester,
  roomId: string,
  target: UserId,
): void {
  count(limits, who, 'rc_invites.per_issuer', who.userId)
  count(limits, who, 'rc_invites.per_room', roomId)
  count(limits, who, 'rc_invites.per_user', target)
}
