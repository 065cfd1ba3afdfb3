/** Account data and stored filters. https://spec.matrix.org/v1.16/client-server-api/#client-config */
import { KeyedLock } from '#/base/async/keyed-lock.ts'
import { Lru } from '#/base/lru.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { RoomId } from '#/protocol/ids/room-id.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import { defaultPushRules } from '#/protocol/push-rules/default-rules.ts'
import {
  ACCOUNT_DATA_BYTES_MAX,
  ACCOUNT_DATA_ITEMS_MAX,
  ACCOUNT_DATA_SIZES_KEPT,
  ACCOUNT_DATA_TOTAL_BYTES_MAX,
  ACCOUNT_DATA_TYPE_BYTES_MAX,
} from './limits.ts'
import type { AccountHooks } from './options.ts'

/** Types that the server alone writes, by requests of their own. */
const SERVER_CONTROLLED = new Set(['m.fully_read', 'm.push_rules'])

interface Size {
  items: number
  bytes: number
}

export class AccountDataService {
  readonly #store: Store
  /** Changes of one user come one after the other, so that one that is made of what was there loses nothing. */
  readonly #lock = new KeyedLock()
  /** How much the users who wrote lately have. What the server itself writes meanwhile is not counted. */
  readonly #sizes = new Lru<string, Size>(ACCOUNT_DATA_SIZES_KEPT)

  readonly #hooks: AccountHooks

  constructor(deps: { store: Store; hooks?: AccountHooks }) {
    this.#hooks = deps.hooks ?? {}
    this.#store = deps.store
  }

  /** Whether clients may not write this type. */
  isServerControlled(type: string): boolean {
    return SERVER_CONTROLLED.has(type)
  }

  /** Content as JSON text. Throws M_NOT_FOUND. */
  async get(userId: UserId, roomId: RoomId | undefined, type: string): Promise<string> {
    const text = await this.find(userId, roomId, type)
    if (text === undefined) throw new MatrixError('M_NOT_FOUND', 'There is no account data of this type.')
    return text
  }

  /** As `get`, undefined where there is none. Throws M_NOT_FOUND for a room the user has nothing to do with. */
  async find(userId: UserId, roomId: RoomId | undefined, type: string): Promise<string | undefined> {
    const room = await this.#room(userId, roomId)
    const row = await this.#store.accountData.get(userId, room, type)
    if (row || type !== 'm.push_rules' || room !== 0) return row?.content
    return JSON.stringify({ global: defaultPushRules(userId) })
  }

  /**
   * Sets content; an empty one stays as it is, which MSC3391 would take for a deletion and the specification does not.
   * Throws M_NOT_FOUND for a room the user has nothing to do with, M_INVALID_PARAM, M_TOO_LARGE.
   */
  put(userId: UserId, roomId: RoomId | undefined, type: string, content: JsonObject): Promise<void> {
    return this.change(userId, roomId, type, () => content)
  }

  /** Sets content that is made of what is there; nobody else writes between. Throws as `put`. */
  async change(
    userId: UserId,
    roomId: RoomId | undefined,
    type: string,
    how: (before: JsonObject | undefined) => JsonObject,
  ): Promise<void> {
    if (type === '' || Buffer.byteLength(type) > ACCOUNT_DATA_TYPE_BYTES_MAX) {
      throw new MatrixError('M_INVALID_PARAM', `A type has 1 to ${ACCOUNT_DATA_TYPE_BYTES_MAX} bytes.`)
    }
    const room = await this.#room(userId, roomId)
    await this.#lock.run(userId, async () => {
      const before = (await this.#store.accountData.get(userId, room, type))?.content
      const content = how(before === undefined ? undefined : (JSON.parse(before) as JsonObject))
      const text = JSON.stringify(content)
      const bytes = Buffer.byteLength(text)
      if (bytes > ACCOUNT_DATA_BYTES_MAX) {
        throw new MatrixError('M_TOO_LARGE', `Account data has at most ${ACCOUNT_DATA_BYTES_MAX} bytes.`)
      }
      const more = {
        items: before === undefined ? 1 : 0,
        bytes: bytes - Buffer.byteLength(before ?? ''),
      }
      const size = await this.#place(userId, more)
      const op = { op: 'account_data.put', user: userId, room, type, content: text } as const
      const following = await this.#following(userId, room, type, content)
      await this.#store.commit({ lane: userId, ops: [op, ...following] })
      if (following.length > 0) await this.#hooks.onAccountData?.(userId)
      size.items += more.items
      size.bytes += more.bytes
    })
  }

  /** Takes a piece of account data away; one that is not there is no mistake. */
  async delete(userId: UserId, roomId: RoomId | undefined, type: string): Promise<void> {
    const room = await this.#room(userId, roomId)
    const op = { op: 'account_data.delete', user: userId, room, type } as const
    await this.#lock.run(userId, async () => {
      const following = await this.#following(userId, room, type, {})
      await this.#store.commit({ lane: userId, ops: [op, ...following] })
      if (following.length > 0) await this.#hooks.onAccountData?.(userId)
    })
  }

  /** What others want to be written with new account data. */
  async #following(userId: UserId, room: number, type: string, content: JsonObject): Promise<readonly Op[]> {
    return room === 0 ? ((await this.#hooks.accountDataOps?.(userId, type, content)) ?? []) : []
  }

  /** How much the user has, when there is place for `more`. Throws M_TOO_LARGE. */
  async #place(userId: UserId, more: Size): Promise<Size> {
    let size = this.#sizes.get(userId)
    for (let tries = 0; size === undefined || !fits(size, more); tries++) {
      if (tries === 2) {
        throw new MatrixError('M_TOO_LARGE', 'You have too much account data. Delete some of it.')
      }
      /* Places of what was deleted are freed when they are needed. */
      if (tries === 1) {
        await this.#store.commit({ lane: userId, ops: [{ op: 'account_data.purge', user: userId }] })
      }
      size = { ...(await this.#store.accountData.size(userId)) }
      this.#sizes.set(userId, size)
    }
    return size
  }

  /** Stores a filter that the caller has checked; gives its id. */
  async putFilter(userId: UserId, filter: JsonObject): Promise<string> {
    const op = { op: 'filter.put', user: userId, json: JSON.stringify(filter) } as const
    const result = await this.#store.commit({ lane: userId, ops: [op] })
    if (!result.ok) throw new Error(`a filter met the conflict ${result.conflict}`)
    return String(result.results[0])
  }

  /** A filter as JSON text. Throws M_NOT_FOUND. */
  async filter(userId: UserId, filterId: string): Promise<string> {
    const id = /^[0-9]{1,15}$/.test(filterId) ? Number(filterId) : undefined
    const json = id === undefined ? undefined : await this.#store.accountData.filter(userId, id)
    if (json === undefined) throw new MatrixError('M_NOT_FOUND', 'There is no such filter.')
    return json
  }

  /** Row id of a room that the user has or had to do with; 0 for global data. */
  async #room(userId: UserId, roomId: RoomId | undefined): Promise<number> {
    if (roomId === undefined) return 0
    const room = await this.#store.rooms.byId(roomId)
    const there = room && (await this.#store.rooms.membership(room.nid, userId))
    if (!there) throw new MatrixError('M_NOT_FOUND', 'You have nothing to do with this room.')
    return room.nid
  }
}

/** What makes nothing larger always fits, so that who has too much can still tidy up. */
function fits(size: Size, more: Size): boolean {
  const items = more.items <= 0 || size.items + more.items <= ACCOUNT_DATA_ITEMS_MAX
  return items && (more.bytes <= 0 || size.bytes + more.bytes <= ACCOUNT_DATA_TOTAL_BYTES_MAX)
}
