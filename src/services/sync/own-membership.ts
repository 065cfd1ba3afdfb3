/** A reader's own membership of a room over time, read from the room's state. */
import type { EventRow } from '#/ports/store/events.ts'
import type { Membership } from '#/ports/store/rooms.ts'
import type { Store } from '#/ports/store/store.ts'
import type { ActiveUser, KnownMembership } from './active-user.ts'
import { OWN_CHANGES_MAX } from './limits.ts'

/** A membership as it was at `now`, which later changes may have left behind; those are for the next answer. */
export async function membershipAt(
  store: Store,
  user: ActiveUser,
  room: number,
  now: number,
): Promise<KnownMembership | undefined> {
  const known = user.memberships.get(room)
  if (!known || known.position <= now) return known
  const event = (await isOpen(store, room, now)) && (await ownEvent(store, user.userId, room, now))
  if (!event) return undefined
  const bySelf = event.sender === user.userId
  return { roomId: known.roomId, membership: membershipOf(event), position: event.nid, bySelf }
}

/** Whether the user was in the room from `since` on without a break, until now or until leaving. */
export async function stayedSince(
  store: Store,
  userId: string,
  room: number,
  known: KnownMembership,
  since: number,
): Promise<boolean> {
  if (known.membership === 'join' && known.position <= since) return true
  if (!(await isOpen(store, room, since))) return false
  let pos = known.position - 1
  for (let steps = 0; steps < OWN_CHANGES_MAX; steps++) {
    const event = await ownEvent(store, userId, room, pos)
    if (event === undefined || !isJoin(event)) return false
    if (event.nid <= since) return true
    pos = event.nid - 1
  }
  return false
}

/** Whether the user was joined to the room at a position. */
export async function wasJoined(store: Store, userId: string, room: number, pos: number): Promise<boolean> {
  const event = await ownEvent(store, userId, room, pos)
  return event !== undefined && isJoin(event)
}

/**
 * How what held at `since` ended (a stay, an invite or a knock), where `known` is an invite that came behind it.
 * Undefined where nothing held, or where it was this invite that ended it, as it does a knock.
 */
export async function stayEnded(
  store: Store,
  user: ActiveUser,
  room: number,
  known: KnownMembership,
  since: number,
): Promise<KnownMembership | undefined> {
  const held = await ownEvent(store, user.userId, room, since)
  const before = held && membershipOf(held)
  if (before === 'join') {
    return membershipAt(store, user, room, await leftAt(store, user.userId, room, known, since))
  }
  if (before !== 'invite' && before !== 'knock') return undefined
  let last = await ownEvent(store, user.userId, room, known.position - 1)
  for (let steps = 0; last && membershipOf(last) === 'invite' && steps < OWN_CHANGES_MAX; steps++) {
    last = await ownEvent(store, user.userId, room, last.nid - 1)
  }
  const ended = last && last.nid > since && ['leave', 'ban'].includes(membershipOf(last))
  return ended ? membershipAt(store, user, room, last!.nid) : undefined
}

/**
 * Where a user who was joined at `since` left, before `known`: the position of the event that ended the stay. An
 * invite may have come behind it. Of several stays it is the last one that counts, or where that is too many changes
 * ago any of them. `since` itself for who was not joined there.
 */
export async function leftAt(
  store: Store,
  userId: string,
  room: number,
  known: KnownMembership,
  since: number,
): Promise<number> {
  let end = known.position
  for (let steps = 0; steps < OWN_CHANGES_MAX; steps++) {
    const before = await ownEvent(store, userId, room, end - 1)
    if (before === undefined) return since
    if (isJoin(before)) return end
    end = before.nid
  }
  return leftBetween(store, userId, room, since, end)
}

/** The first change after some stay between `joined` and `out`, found by halving. */
async function leftBetween(
  store: Store,
  userId: string,
  room: number,
  joined: number,
  out: number,
): Promise<number> {
  if (!(await wasJoined(store, userId, room, joined))) return joined
  let [from, end] = [joined, out]
  while (end - from > 1) {
    const middle = from + Math.floor((end - from) / 2)
    const event = await ownEvent(store, userId, room, middle)
    if (event !== undefined && isJoin(event)) from = middle
    else end = event === undefined || event.nid <= from ? middle : event.nid
  }
  return end
}

/** Whether the room was in anybody's sight at a position; what happened in it before nobody was told. */
async function isOpen(store: Store, room: number, position: number): Promise<boolean> {
  return ((await store.rooms.byNid(room))?.opened ?? 0) <= position
}

/** The user's member event as the room's state had it at a position. */
export async function ownEvent(
  store: Store,
  userId: string,
  room: number,
  pos: number,
): Promise<EventRow | undefined> {
  return (await store.state.at(room, { branch: 0, pos }, [['m.room.member', userId]]))[0]
}

function isJoin(row: EventRow): boolean {
  return membershipOf(row) === 'join'
}

/** What a member event says. */
export function membershipOf(row: EventRow): Membership {
  return (JSON.parse(row.json) as { content: { membership: Membership } }).content.membership
}
