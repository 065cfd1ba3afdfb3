/** The list of what a user was notified of. https://spec.matrix.org/v1.19/client-server-api/#listing-notifications */
import type { NotificationRow } from '#/ports/store/push.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { rulesOf } from '#/protocol/room-version/rules.ts'
import type { ClientEvents } from '../rooms/read/client-events.ts'
import { type ReadStore, withoutOver } from '../rooms/read/expiry.ts'
import { formatStream, parseStream } from '../rooms/read/tokens.ts'
import { NOTIFICATIONS_LIMIT_DEFAULT, NOTIFICATIONS_LIMIT_MAX, NOTIFICATIONS_SCAN_MAX } from './limits.ts'
import type { PushRules } from './rules.ts'

export interface NotificationsRequest {
  readonly userId: UserId
  readonly deviceId: string | undefined
  readonly from: string | undefined
  readonly limit: number | undefined
  readonly onlyHighlights: boolean
}

export class Notifications {
  readonly #store: ReadStore
  readonly #clientEvents: ClientEvents
  readonly #rules: PushRules

  constructor(deps: { store: ReadStore; clientEvents: ClientEvents; rules: PushRules }) {
    this.#store = deps.store
    this.#clientEvents = deps.clientEvents
    this.#rules = deps.rules
  }

  /** One page as JSON text, newest first. Throws M_INVALID_PARAM for a token that is none. */
  async list(request: NotificationsRequest): Promise<string> {
    const limit = Math.min(request.limit ?? NOTIFICATIONS_LIMIT_DEFAULT, NOTIFICATIONS_LIMIT_MAX)
    const before = this.#before(request.from)
    const { rows, next } = await this.#store.push.notifications(
      request.userId,
      before,
      limit,
      NOTIFICATIONS_SCAN_MAX,
      request.onlyHighlights,
    )
    const texts: string[] = []
    for (const row of rows) {
      const text = await this.#text(request, row)
      if (text !== undefined) texts.push(text)
    }
    const token =
      next === undefined
        ? ''
        : `"next_token":${JSON.stringify(formatStream({ epoch: this.#store.epoch, position: next }))},`
    return `{${token}"notifications":[${texts.join(',')}]}`
  }

  /** Positions are not reused, so a token of before a restore leads to the right place too. */
  #before(from: string | undefined): number {
    if (from === undefined) return this.#store.position() + 1
    const token = parseStream(from)
    if (!token) throw new MatrixError('M_INVALID_PARAM', 'The token in `from` is not one of this server.')
    return token.position
  }

  /** Undefined for an event that was taken away meanwhile, or whose time is over. */
  async #text(request: NotificationsRequest, row: NotificationRow): Promise<string | undefined> {
    const [event] = await withoutOver(this.#store, await this.#store.events.byNids([row.event]))
    const room = await this.#store.rooms.byNid(row.room)
    const rules = room && rulesOf(room.version)
    const known = await this.#rules.of(request.userId)
    /* What was counted before somebody was ignored is not shown after it. */
    if (!event || !rules || known.ignored.has(event.sender)) return undefined
    const viewer = { userId: request.userId, deviceId: request.deviceId }
    const [text] = await this.#clientEvents.view([event], viewer, { rules, withoutRoomId: true })
    const actions = row.actions ?? known.usualActions(row.kind, row.roomId)
    return `{"actions":${actions},"event":${text},"profile_tag":"","read":${row.read},"room_id":${JSON.stringify(row.roomId)},"ts":${event.ts}}`
  }
}
