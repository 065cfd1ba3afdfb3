/** One filtered list of a user's rooms in its order, moved on as rooms change. */
import type { RoomFactsRow } from '#/ports/store/room-facts.ts'
import type { InviteFilter } from '#/protocol/invites/invite-filter.ts'
import type { ActiveUser, KnownMembership } from '../active-user.ts'
import type { FactsCache } from './facts-cache.ts'
import type { Labels } from './labels.ts'
import type { ListFilters } from './request.ts'
import { RoomOrder } from './room-order.ts'
import type { SpaceRooms } from './space-rooms.ts'

/** What a list is made from. */
export interface ListSources {
  readonly user: ActiveUser
  readonly labels: Labels
  readonly facts: FactsCache
  /** Rooms of the spaces that the filter names; undefined without such a filter. */
  readonly spaces: SpaceRooms | undefined
  readonly hiding: Hiding
}

/** What keeps rooms out of a user's sight. */
export interface Hiding {
  /** Ids of users whose invites the user does not see. */
  readonly ignored: ReadonlySet<string>
  /** Which invites the user wants to see. */
  readonly invites: InviteFilter
  /** Ids of rooms that the operator shows to nobody. */
  readonly excluded: ReadonlySet<string>
}

export class ListView {
  readonly order = new RoomOrder()
  readonly #filters: ListFilters
  /** Everything up to it is taken. */
  #position = -1
  #version = ''
  #invites: InviteFilter | undefined
  /** Rooms whose facts were not ready when the list was made: looked at again each time. */
  #lacking = new Set<number>()
  /** Rooms may have come into sight without news of their own, because others went, at this position last. */
  loosenedAt = 0

  constructor(filters: ListFilters) {
    this.#filters = filters
  }

  /** Takes everything up to `now`; whether that was much work. The facts of all rooms of the user must be ready. */
  bring(now: number, from: ListSources): boolean {
    const { isDm, tags, notTags } = this.#filters
    const labelled = isDm !== undefined || tags !== undefined || notTags !== undefined
    const { hiding } = from
    const ignored = [...hiding.ignored].sort().join(' ')
    const seen = `${from.user.forgets} ${ignored}`
    const version = `${labelled ? from.labels.version : ''} ${from.spaces?.version ?? ''} ${seen}`
    const changed = this.#position < 0 ? undefined : from.user.changedSince(this.#position)
    const anew = changed === undefined || version !== this.#version || hiding.invites !== this.#invites
    const lacking = this.#lacking
    this.#lacking = new Set()
    if (anew) this.#rebuild(now, from)
    else for (const room of new Set([...changed, ...lacking])) this.#move(room, now, from)
    this.#version = version
    this.#invites = hiding.invites
    this.#position = Math.max(this.#position, now)
    return anew
  }

  #rebuild(now: number, from: ListSources): void {
    const entries: { room: number; key: number }[] = []
    for (const [room, known] of from.user.memberships) {
      const key = this.#keyOf(room, known, from)
      if (key !== undefined) entries.push({ room, key })
    }
    this.order.fill(entries)
    this.loosenedAt = now
  }

  #move(room: number, now: number, from: ListSources): void {
    const known = from.user.memberships.get(room)
    const key = known && this.#keyOf(room, known, from)
    if (key !== undefined) this.order.set(room, key)
    else if (this.order.delete(room)) this.loosenedAt = now
  }

  /** Position of the newest news of a room that belongs to the list. */
  #keyOf(room: number, known: KnownMembership, from: ListSources): number | undefined {
    const shown = isListed(known) ? shownTo(known, from.hiding) : undefined
    if (!shown) return undefined
    const facts = from.facts.peek(room)
    if (!facts) {
      this.#lacking.add(room)
      return undefined
    }
    if (!passes(this.#filters, room, shown, facts, from)) return undefined
    return newsOf(shown, facts)
  }
}

/** Rooms that a user left of their own accord, or has forgotten, are in no list. */
export function isListed(known: KnownMembership): boolean {
  if (known.forgotten) return false
  return known.membership !== 'leave' || known.bySelf === false
}

/** Whether a room is hidden because of who invited, because it is an invite, or for everybody. */
export function isHidden({ roomId, membership, inviter }: KnownMembership, hiding: Hiding): boolean {
  if (hiding.excluded.has(roomId)) return true
  if (membership !== 'invite') return false
  return hiding.invites.answer(inviter) !== 'allow' || (inviter !== undefined && hiding.ignored.has(inviter))
}

/** The membership as the user sees it: behind a hidden invite their own knock, or nothing. */
export function shownTo(known: KnownMembership, hiding: Hiding): KnownMembership | undefined {
  if (!isHidden(known, hiding)) return known
  return hiding.excluded.has(known.roomId) ? undefined : known.knock
}

/** Position of the newest thing that the user may know of a room. */
export function newsOf(known: KnownMembership, facts: RoomFactsRow): number {
  return known.membership === 'join' ? Math.max(facts.latest, known.position) : known.position
}

function passes(
  filters: ListFilters,
  room: number,
  known: KnownMembership,
  facts: RoomFactsRow,
  { labels, spaces }: ListSources,
): boolean {
  const { isDm, isEncrypted, isInvite, roomTypes, notRoomTypes, roomNameLike } = filters
  if (isDm !== undefined && labels.direct.has(known.roomId) !== isDm) return false
  if (isEncrypted !== undefined && facts.encrypted !== isEncrypted) return false
  if (isInvite !== undefined && (known.membership === 'invite') !== isInvite) return false
  if (roomTypes !== undefined && !roomTypes.includes(facts.roomType)) return false
  if (notRoomTypes?.includes(facts.roomType)) return false
  if (roomNameLike !== undefined) {
    /* Who is out of a room does not learn what it is called since. */
    if (known.membership === 'leave' || known.membership === 'ban') return false
    if (!(facts.name ?? '').toLowerCase().includes(roomNameLike.toLowerCase())) return false
  }
  if (spaces !== undefined && !spaces.rooms.has(known.roomId)) return false
  return passesTags(filters, labels.tags.get(room))
}

function passesTags({ tags, notTags }: ListFilters, own: ReadonlySet<string> | undefined): boolean {
  if (notTags?.some((tag) => own?.has(tag))) return false
  return tags === undefined || tags.some((tag) => own?.has(tag))
}
