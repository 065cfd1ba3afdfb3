/**
 * Whether somebody may see the card of a room they may not be in: one place for space trees and summaries (adv-55).
 * https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1roomsroomidhierarchy
 */
import type { MembershipRow } from '#/ports/store/rooms.ts'
import type { Store } from '#/ports/store/store.ts'
import { isOpenToStrangers } from '#/protocol/listing/room-card.ts'
import { rulesOf } from '#/protocol/room-version/rules.ts'
import type { CardOfRoom } from './cards.ts'

/** The membership of a user in a room, if they have one. */
export async function membershipIn(
  store: Store,
  room: number,
  userId: string | undefined,
): Promise<MembershipRow | undefined> {
  return userId === undefined ? undefined : store.rooms.membership(room, userId)
}

/**
 * Whether a user, or anybody when there is none, may see the card: members, those who may join, and everybody where
 * strangers may join, knock or read.
 */
export async function maySeeCard(
  store: Store,
  found: CardOfRoom,
  userId: string | undefined,
): Promise<boolean> {
  const { room, card } = found
  const rules = rulesOf(room.version)
  if (!rules || room.stale) return false
  const { knock, knockRestricted, restricted } = rules.auth
  const knows =
    (card.joinRule !== 'knock' || knock) && (card.joinRule !== 'knock_restricted' || knockRestricted)
  if (card.worldReadable || (knows && isOpenToStrangers(card))) return true
  if (userId === undefined) return false
  const own = await store.rooms.membership(room.nid, userId)
  if (own?.membership === 'join' || own?.membership === 'invite') return true
  if (!restricted || card.joinRule !== 'restricted') return false
  for (const roomId of card.allowedRoomIds) {
    const other = await store.rooms.byId(roomId)
    const there = other && (await store.rooms.membership(other.nid, userId))
    if (there?.membership === 'join') return true
  }
  return false
}
