/** Which threads a user follows. MSC4306: thread subscriptions; MSC4308: catching up with them. */
import type { Store } from '#/ports/store/store.ts'
import type { ThreadSubscriptionRow } from '#/ports/store/thread-subscriptions.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { relationOf, THREAD } from '#/protocol/event/relation.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import type { IgnoredUsers } from '../accounts/ignored-users.ts'
import { formatStream, parseStream } from './read/tokens.ts'
import { requireAccess, visibleEvent } from './read/visible-event.ts'

export interface ThreadSubscriptionDeps {
  readonly store: Store
  readonly ignored: IgnoredUsers
}

/** A thread as its user names it. */
export interface ThreadOf {
  readonly userId: string
  readonly roomId: string
  /** Event id of the thread's root. */
  readonly root: string
}

export interface ThreadSubscriptionsPage {
  /** Newest first. */
  readonly rows: readonly ThreadSubscriptionRow[]
  /** Where older changes go on; undefined when there are none. */
  readonly end: string | undefined
}

export class ThreadSubscriptions {
  readonly #store: Store
  readonly #ignored: IgnoredUsers

  constructor(deps: ThreadSubscriptionDeps) {
    this.#store = deps.store
    this.#ignored = deps.ignored
  }

  /** Whether a present subscription is automatic. Throws M_NOT_FOUND without one. */
  async get(thread: ThreadOf): Promise<{ readonly automatic: boolean }> {
    const room = await this.#roomOf(thread)
    const row = await this.#store.threadSubscriptions.get(thread.userId, room, thread.root)
    if (!row?.subscribed) throw new MatrixError('M_NOT_FOUND', 'You are not subscribed to this thread.')
    return { automatic: row.automatic }
  }

  /**
   * Subscribes. `automatic` is the event for which a client does so by itself. Throws M_NOT_FOUND for events that the
   * user may not see, `IO.ELEMENT.MSC4306.M_NOT_IN_THREAD` and `IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION`.
   */
  async subscribe(thread: ThreadOf, automatic: string | undefined): Promise<void> {
    const { userId: user, roomId, root } = thread
    const room = await this.#roomOf(thread)
    const cause = automatic === undefined ? null : await this.#causeOf(thread, automatic)
    const op = { op: 'thread.subscribe', user, room, root, automatic: cause } as const
    const result = await this.#store.commit({ lane: user, ops: [op] })
    if (result.ok) return
    if (result.conflict !== 'unsubscribed') {
      throw new Error(`a subscription in ${roomId} met the conflict ${result.conflict}`)
    }
    throw new MatrixError(
      'IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION',
      'You have unsubscribed from this thread after that event.',
    )
  }

  /** Unsubscribes; changes nothing for those who are not subscribed. Throws M_NOT_FOUND. */
  async unsubscribe(thread: ThreadOf): Promise<void> {
    const room = await this.#roomOf(thread)
    const { userId: user, root } = thread
    await this.#store.commit({ lane: user, ops: [{ op: 'thread.unsubscribe', user, room, root }] })
  }

  /**
   * Changes after `to` up to `from`, the newest at most `limit`: the direction is backwards. Both are tokens of this
   * endpoint or of a sync. Throws M_INVALID_PARAM.
   */
  async page(
    userId: string,
    { from, to, limit }: { from?: string | undefined; to?: string | undefined; limit: number },
  ): Promise<ThreadSubscriptionsPage> {
    const upto = from === undefined ? this.#store.position() : this.#positionOf(from)
    const after = to === undefined ? 0 : this.#positionOf(to)
    const rows = await this.since(userId, after, upto, limit + 1)
    const shown = rows.slice(0, limit)
    const last = rows.length > limit ? shown.at(-1) : undefined
    const end = last && formatStream({ epoch: this.#store.epoch, position: last.position - 1 })
    return { rows: shown, end }
  }

  /** Changes in (after, upto] that a sync tells of, newest first, at most `limit`. */
  since(userId: string, after: number, upto: number, limit: number): Promise<ThreadSubscriptionRow[]> {
    return this.#store.threadSubscriptions.since(userId, after, upto, limit)
  }

  #positionOf(token: string): number {
    const parsed = parseStream(token)
    if (parsed?.epoch !== this.#store.epoch) {
      throw new MatrixError('M_INVALID_PARAM', 'This token is not one of this server.')
    }
    return parsed.position
  }

  async #roomOf({ userId, roomId, root }: ThreadOf): Promise<number> {
    const { row } = await visibleEvent(this.#store, this.#ignored, { roomId, eventId: root }, userId)
    await requireAccess(this.#store, roomId, userId)
    return row.room
  }

  /** Place in the timeline of an event in the thread. */
  async #causeOf({ userId, roomId, root }: ThreadOf, eventId: string): Promise<number> {
    const { row } = await visibleEvent(this.#store, this.#ignored, { roomId, eventId }, userId)
    const relation = relationOf((JSON.parse(row.json) as { content: JsonObject }).content)
    if (relation?.relType !== THREAD || relation.target !== root) {
      throw new MatrixError(
        'IO.ELEMENT.MSC4306.M_NOT_IN_THREAD',
        'An automatic subscription is made for an event in the thread.',
      )
    }
    return row.arrival ?? row.nid
  }
}

/** `subscribed` and `unsubscribed` by room and root, as clients get them; a group without any is left out. */
export function subscriptionGroups(rows: readonly ThreadSubscriptionRow[]): Record<string, object> {
  const groups = { subscribed: new Map<string, object>(), unsubscribed: new Map<string, object>() }
  for (const { roomId, root, subscribed, automatic, position: bump_stamp } of rows) {
    const group = groups[subscribed ? 'subscribed' : 'unsubscribed']
    const entry = subscribed ? { automatic, bump_stamp } : { bump_stamp }
    group.set(roomId, { ...group.get(roomId), [root]: entry })
  }
  const answer: Record<string, object> = {}
  for (const [name, group] of Object.entries(groups)) {
    if (group.size > 0) answer[name] = Object.fromEntries(group)
  }
  return answer
}
