/** When the server speaks of its own accord: a policy to agree to, and a limit that is reached. */
import type { Log } from '#/base/log.ts'
import { Lru } from '#/base/lru.ts'
import type { Clock } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import type { EventId } from '#/protocol/ids/event-id.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { isArray, type JsonObject } from '#/protocol/json/value.ts'
import type { Consent } from '../accounts/consent.ts'
import type { MonthlyUsers } from '../accounts/monthly-users.ts'
import type { UsageRules } from '../accounts/usage-rules.ts'
import { LIMIT_LOOK_MS, PINNED_LOOKED_AT_MAX, TOLD_MAX } from './limits.ts'
import type { ServerNotices } from './server-notices.ts'

const USAGE_LIMIT = 'm.server_notice.usage_limit_reached'
const PINNED = 'm.room.pinned_events'

export interface NoticeTriggerDeps {
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  readonly notices: ServerNotices
  readonly consent: Consent | undefined
  /** Where users are told that the limit is reached. */
  readonly limit: { readonly monthly: MonthlyUsers; readonly rules: UsageRules } | undefined
}

export class NoticeTriggers {
  readonly #deps: NoticeTriggerDeps
  /** Users who need not be asked to agree (again). */
  readonly #asked = new Lru<string, true>(TOLD_MAX)
  /** What users were told of the limit last. */
  readonly #told = new Lru<string, boolean>(TOLD_MAX)
  #reached: { readonly at: number; readonly reached: boolean } | undefined

  constructor(deps: NoticeTriggerDeps) {
    this.#deps = deps
  }

  /** Looks what a user who syncs is to be told. Never throws: a sync does not wait for a notice that fails. */
  async onSync(userId: UserId, isGuest: boolean): Promise<void> {
    try {
      await this.#askToAgree(userId, isGuest)
      if (!isGuest) await this.#tellLimit(userId)
    } catch (error) {
      this.#deps.log.warn('a notice of the server could not be sent', { user: userId, error })
    }
  }

  async #askToAgree(userId: UserId, isGuest: boolean): Promise<void> {
    const { consent, notices, store } = this.#deps
    if (consent?.options.notice === undefined || this.#asked.get(userId)) return
    if (isGuest && !consent.options.noticeToGuests) return
    const { version } = consent.options
    const row = await store.usage.consent(userId)
    const content = consent.noticeFor(userId)
    if (row?.version !== version && row?.asked !== version && content !== undefined) {
      await notices.notify(userId, { content, txnId: `consent ${version}` })
      const op = { op: 'consent.asked', user: userId, version } as const
      const result = await store.commit({ lane: userId, ops: [op] })
      if (!result.ok) throw new Error(`a request to agree met the conflict ${result.conflict}`)
    }
    this.#asked.set(userId, true)
  }

  /** Pins a notice while the limit is reached, and takes it down after. */
  async #tellLimit(userId: UserId): Promise<void> {
    const { limit, notices } = this.#deps
    if (limit === undefined) return
    const reached = await this.#limitReached(limit.monthly)
    if (this.#told.get(userId) === reached) return
    const pinned = await this.#pinned(userId)
    if (reached && pinned.limit.length === 0) {
      const content = limitNotice(limit.rules)
      const eventId = await notices.notify(userId, { content })
      await notices.notify(userId, pin([...pinned.others, eventId]))
    }
    if (!reached && pinned.limit.length > 0) await notices.notify(userId, pin(pinned.others))
    this.#told.set(userId, reached)
  }

  async #limitReached(monthly: MonthlyUsers): Promise<boolean> {
    const now = this.#deps.clock.monotonic()
    if (this.#reached === undefined || now - this.#reached.at >= LIMIT_LOOK_MS) {
      this.#reached = { at: now, reached: await monthly.full() }
    }
    return this.#reached.reached
  }

  /** Pinned events of the user's room: notices of the limit, and others. */
  async #pinned(userId: UserId): Promise<{ limit: string[]; others: string[] }> {
    const { store, notices } = this.#deps
    const room = await notices.roomOf(userId)
    const [row] = room ? await store.state.current(room.nid, [[PINNED, '']]) : []
    const ids = row === undefined ? [] : contentOf(row)['pinned']
    const pinned = isArray(ids) ? ids.filter((id) => typeof id === 'string') : []
    const events = await store.events.byIds(pinned.slice(0, PINNED_LOOKED_AT_MAX) as EventId[])
    const told = new Set(
      events.filter((event) => contentOf(event)['server_notice_type'] === USAGE_LIMIT).map((e) => e.eventId),
    )
    return { limit: pinned.filter((id) => told.has(id)), others: pinned.filter((id) => !told.has(id)) }
  }
}

function contentOf(row: { readonly json: string }): JsonObject {
  return (JSON.parse(row.json) as { content: JsonObject }).content
}

function pin(pinned: readonly string[]) {
  return { type: PINNED, stateKey: '', content: { pinned: [...pinned] } }
}

/** https://spec.matrix.org/v1.16/client-server-api/#server-notices */
function limitNotice(rules: UsageRules): JsonObject {
  const { extra, message } = rules.refusal('monthly_active_user')
  return {
    body: message,
    msgtype: 'm.server_notice',
    server_notice_type: USAGE_LIMIT,
    ...(extra as JsonObject),
  }
}
