/**
 * A knock that was answered with an invite which the user is not to see, of somebody they ignore: for them the knock
 * still stands. It must neither look granted, nor vanish.
 */
import type { MembershipRow } from '#/ports/store/rooms.ts'
import type { Store } from '#/ports/store/store.ts'
import type { StrippedEvent, StrippedMembership } from '#/protocol/stripped/stripped-state.ts'
import type { KnownMembership } from './active-user.ts'
import { INVITES_READ_AT_ONCE, OWN_CHANGES_MAX } from './limits.ts'
import { membershipOf } from './own-membership.ts'

/**
 * The user's knocks that invites answer, by row id of the room. What an invite keeps does not tell: the room may have
 * changed its join rules between the knock and the invite.
 */
export async function answeredKnocks(
  store: Store,
  memberships: readonly MembershipRow[],
): Promise<Map<number, KnownMembership>> {
  const knocks = new Map<number, KnownMembership>()
  const invites = memberships.filter(({ membership, event }) => membership === 'invite' && event !== 0)
  let followed = new Map(invites.map((row) => [row.event, row]))
  for (let steps = 0; steps < OWN_CHANGES_MAX && followed.size > 0; steps++) {
    const earlier = new Map<number, MembershipRow>()
    const events = [...followed.keys()]
    for (let from = 0; from < events.length; from += INVITES_READ_AT_ONCE) {
      const some = events.slice(from, from + INVITES_READ_AT_ONCE)
      for (const { by, event } of await store.state.replaced(some)) {
        const row = followed.get(by)!
        const membership = membershipOf(event)
        if (membership === 'invite') earlier.set(event.nid, row)
        if (membership !== 'knock') continue
        knocks.set(row.room, { roomId: row.roomId, membership, position: event.nid, bySelf: true })
      }
    }
    followed = earlier
  }
  return knocks
}

/** Stripped state of such a knock, as JSON text: without the members that the invite names. */
export async function knockState(store: Store, stripped: string, knock: KnownMembership): Promise<string> {
  const [row] = await store.events.byNids([knock.position])
  const state = (JSON.parse(stripped) as StrippedEvent[]).filter(({ type }) => type !== 'm.room.member')
  if (row) {
    const { type, state_key, sender, content, origin_server_ts } = JSON.parse(row.json) as StrippedMembership
    const own = { type, state_key, sender, content, event_id: row.eventId, origin_server_ts }
    state.push(own)
  }
  return JSON.stringify(state)
}
