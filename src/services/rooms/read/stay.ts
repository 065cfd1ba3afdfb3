/** When a user was in a room. */
import type { MembershipRow } from '#/ports/store/rooms.ts'
import type { Store } from '#/ports/store/store.ts'
import { OWN_CHANGES_BACK_MAX } from './limits.ts'

/**
 * Position up to which the user was in the room the last time: Infinity while they are, that of the event which took
 * them out otherwise, 0 when they never were. A user who was invited, banned and the like many times since counts as
 * one who never was.
 */
export async function lastTimeJoined(store: Store, own: MembershipRow): Promise<number> {
  if (own.membership === 'join') return Number.POSITIVE_INFINITY
  let position = own.position
  for (let steps = 0; steps < OWN_CHANGES_BACK_MAX; steps++) {
    const before = { branch: 0, pos: position - 1 }
    const [event] = await store.state.at(own.room, before, [['m.room.member', own.user]])
    if (!event) return 0
    const { content } = JSON.parse(event.json) as { content?: { membership?: unknown } }
    if (content?.membership === 'join') return position
    position = event.nid
  }
  return 0
}
