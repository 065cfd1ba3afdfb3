/**
 * Who may see an event of a room's history, by the state at that event.
 * https://spec.matrix.org/v1.19/client-server-api/#room-history-visibility
 */

import { historyVisibilityOf, membershipOf } from '../event/content.ts'
import type { Pdu, StateLookup } from '../event/pdu.ts'

const VALUES = ['world_readable', 'shared', 'invited', 'joined'] as const

/** The four values of `m.room.history_visibility`. */
export type HistoryVisibility = (typeof VALUES)[number]

/** `leave` also stands for somebody who was never there; unknown memberships count as `leave`. */
export type VisibleMembership = 'join' | 'invite' | 'knock' | 'ban' | 'leave'

/** A fact before an event, and after it; they differ only if the event itself changes the fact. */
export interface Around<T> {
  readonly before: T
  readonly after: T
}

/** The history visibility in force: `shared` without an event or with a value that is not understood. */
export function readHistoryVisibility(event: Pdu | undefined): HistoryVisibility {
  const value = historyVisibilityOf(event)
  return VALUES.find((known) => known === value) ?? 'shared'
}

/** A user's membership from their member event; `leave` without one or with a value that is not understood. */
export function readMembership(event: Pdu | undefined): VisibleMembership {
  const value = membershipOf(event)
  return value === 'join' || value === 'invite' || value === 'knock' || value === 'ban' ? value : 'leave'
}

/** The history visibility before and after an event, from the state before it. */
export function visibilityAround(event: Pdu, stateBefore: StateLookup): Around<HistoryVisibility> {
  const before = readHistoryVisibility(stateBefore('m.room.history_visibility', ''))
  const changes = event.type === 'm.room.history_visibility' && event.stateKey === ''
  return { before, after: changes ? readHistoryVisibility(event) : before }
}

/** A user's membership before and after an event, from the state before it. */
export function membershipAround(
  event: Pdu,
  userId: string,
  stateBefore: StateLookup,
): Around<VisibleMembership> {
  const before = readMembership(stateBefore('m.room.member', userId))
  const changes = event.type === 'm.room.member' && event.stateKey === userId
  return { before, after: changes ? readMembership(event) : before }
}

/**
 * Tells whether a user may see an event.
 *
 * `joinedLater` is whether the user joined the room at any point after the event (and what follows a leave is
 * another event, whose own membership decides). An m.room.history_visibility event is visible if the value
 * before or after it allows; a user's own member event if the membership before or after it allows. Since
 * nothing else changes those two facts, trying all combinations says the same for every event.
 */
export function canUserSee(facts: {
  readonly visibility: Around<HistoryVisibility>
  readonly membership: Around<VisibleMembership>
  readonly joinedLater: boolean
}): boolean {
  const { visibility, membership, joinedLater } = facts
  return (
    allows(visibility.before, membership.before, joinedLater) ||
    allows(visibility.after, membership.before, joinedLater) ||
    allows(visibility.before, membership.after, joinedLater) ||
    allows(visibility.after, membership.after, joinedLater)
  )
}

/**
 * Tells whether a server may see an event: whether one of its users may.
 *
 * `members` holds the memberships around the event of the server's users who have a member event there;
 * `joinedLater` whether any of its users joined after the event. A server without a user in the room at the
 * event and later sees world-readable events alone.
 */
export function canServerSee(facts: {
  readonly visibility: Around<HistoryVisibility>
  readonly members: Iterable<Around<VisibleMembership>>
  readonly joinedLater: boolean
}): boolean {
  const { visibility, members, joinedLater } = facts
  const nobody: Around<VisibleMembership> = { before: 'leave', after: 'leave' }
  if (canUserSee({ visibility, membership: nobody, joinedLater })) return true
  for (const membership of members) {
    if (canUserSee({ visibility, membership, joinedLater })) return true
  }
  return false
}

/** The five rules of the specification for one visibility and one membership. */
function allows(visibility: HistoryVisibility, membership: VisibleMembership, joinedLater: boolean): boolean {
  if (visibility === 'world_readable') return true
  if (membership === 'join') return true
  if (visibility === 'shared' && joinedLater) return true
  return visibility === 'invited' && membership === 'invite'
}
