/**
 * The answer that is given most often: messages of others came into rooms in which the reader has been all along, and
 * nothing else happened. It is made of what is in memory, without a wait, while many readers are woken at once. Whatever
 * is not as simple, or not in memory, goes the long way in `sync.ts`, which gives the same answer.
 */
import type { EventRow } from '#/ports/store/events.ts'
import type { RoomCounts } from '#/ports/store/push.ts'
import type { IgnoredUsers } from '../../accounts/ignored-users.ts'
import { unreadParts } from '../../push/counts.ts'
import type { ClientEvents } from '../../rooms/read/client-events.ts'
import type { ReadStore } from '../../rooms/read/expiry.ts'
import { type ActiveUser, MOVED } from '../active-user.ts'
import type { E2eeSync } from '../e2ee.ts'
import type { Feed } from '../feed.ts'
import type { LazyMembers } from '../lazy-members.ts'
import type { SyncOptions } from '../options.ts'
import type { RoomRules } from '../room-rules.ts'
import { eventsJson, type SyncRequest } from './request.ts'
import { asEverybody, prevBatch, timelinePart } from './room-section.ts'

export interface QuickDeps {
  readonly store: ReadStore
  readonly feed: Feed
  readonly clientEvents: ClientEvents
  readonly roomRules: RoomRules
  readonly ignored: IgnoredUsers
  readonly e2ee: E2eeSync
  readonly lazyMembers: LazyMembers
  readonly options: SyncOptions
  /** Counts of a user in a room at a position, where they are kept. */
  readonly counts: (userId: string, room: number, upto: number) => RoomCounts | undefined
}

/** Parts of an answer up to a position. */
export interface QuickParts {
  readonly now: number
  /** Groups of rooms, as members. */
  readonly groups: string
  /** Members about encryption. */
  readonly e2ee: string
}

/** A promise is what to wait for before asking once more; undefined for an answer that is not quick. */
type Quick<T> = T | Promise<unknown> | undefined

const OWN_MEMBERSHIP = { membershipAt: () => 'join' }

/** Parts of an answer to a client that has no news but those of rooms. */
export function quickParts(deps: QuickDeps, user: ActiveUser, request: SyncRequest): Quick<QuickParts> {
  const { since, filter } = request
  const { timeline } = filter
  if (since === undefined || request.fullState) return undefined
  if (!asEverybody(request) || !timeline.passesAll || timeline.passesNone || deps.store.expiry)
    return undefined
  if (deps.ignored.known(user.userId)?.size !== 0) return undefined
  const e2ee = deps.e2ee.knownCounts(user, request.deviceId)
  const moved = user.movedSince(since)
  if (e2ee === undefined || !moved || moved.size === 0) return undefined
  const now = deps.feed.position
  let rooms = ''
  for (const [room, what] of moved) {
    const known = user.memberships.get(room)
    if (what !== MOVED.events || known?.membership !== 'join' || known.position > since) return undefined
    const { roomId } = known
    if (deps.options.excludedRooms.has(roomId) || !filter.passesRoom(roomId)) return undefined
    const text = timeline.passesRoom(roomId) ? roomText(deps, request, room, since, now) : undefined
    if (typeof text !== 'string') return text
    rooms += `${rooms === '' ? '' : ','}${JSON.stringify(roomId)}:${text}`
  }
  return { now, groups: `"join":{${rooms}}`, e2ee }
}

function roomText(
  deps: QuickDeps,
  request: SyncRequest,
  room: number,
  since: number,
  now: number,
): Quick<string> {
  const { userId, filter } = request
  const limit = Math.min(filter.timeline.limit, deps.options.timelineMax)
  const rules = deps.roomRules.known(room)
  const rows = deps.feed.kept(room, since, now, limit + 1)?.reverse()
  if (!rules || !rows || rows.length === 0 || rows.length > limit) return undefined
  if (!rows.every((row) => isMessageOfOthers(row, userId))) return undefined
  if (filter.state.lazyLoadMembers && !areTold(deps, request, room, rows)) return undefined
  const counts = deps.counts(userId, room, now)
  if (!counts) return undefined
  const view = { ...OWN_MEMBERSHIP, rules, withoutRoomId: true, reads: deps.store }
  const texts = deps.clientEvents.ready(rows, request, view)
  if (!texts) return deps.clientEvents.prepare(rows, view)
  const parts = [
    timelinePart(texts, false, prevBatch(deps.store, rows, now)),
    /* Messages alone change no state, neither before the timeline nor after it. */
    `"${request.stateAfter ?? 'state'}":${NOTHING}`,
    NO_DATA,
    ...unreadParts(counts, filter.unreadThreads),
  ]
  return `{${parts.join(',')}}`
}

const NOTHING = eventsJson([])
const NO_DATA = `"account_data":${NOTHING},"ephemeral":${NOTHING}`

function isMessageOfOthers({ stateKey, type, sender, redactedBy }: EventRow, userId: string): boolean {
  return stateKey === null && type !== 'm.room.redaction' && sender !== userId && redactedBy === null
}

/** Whether the device was told of the senders of all events. */
function areTold(deps: QuickDeps, request: SyncRequest, room: number, rows: readonly EventRow[]): boolean {
  const { state } = request.filter
  if (state.includeRedundantMembers) return false
  const told = deps.lazyMembers.of(request, room)
  return rows.every(({ sender }) => told.has(sender))
}
