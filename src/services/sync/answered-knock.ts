/**
 * A knock that was answered with an invite which the user is not to see, of somebody they ignore: for them the knock
 * still stands. It must neither look granted, nor vanish.
 */
import type { MembershipRow } from '#/ports/store/rooms.ts'
import type { Store } from '#/ports/store/store.ts'
import type { StrippedEvent, StrippedMembership } from '#/protocol/stripped/stripped-state.ts'
import type { KnownMembership } from './active-user.ts'
import { OWN_CHANGES_MAX } from './limits.ts'
import { membershipOf, ownEvent } from './own-membership.ts'

/** The knock of the user that an invite answers; undefined where there was none. */
export async function answeredKnock(
  store: Store,
  invite: MembershipRow,
): Promise<KnownMembership | undefined> {
  /* Only rooms that say so in their stripped state are knocked on. */
  if (invite.membership !== 'invite' || !invite.stripped?.includes('"knock')) return undefined
  const { room, roomId, user } = invite
  let before = await ownEvent(store, user, room, invite.position - 1)
  for (let steps = 0; steps < OWN_CHANGES_MAX && before; steps++) {
    const membership = membershipOf(before)
    if (membership === 'knock') {
      return { roomId, membership: 'knock', position: before.nid, bySelf: true }
    }
    if (membership !== 'invite') return undefined
    before = await ownEvent(store, user, room, before.nid - 1)
  }
  return undefined
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
