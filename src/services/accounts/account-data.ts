/** Account data and stored filters. https://spec.matrix.org/v1.16/client-server-api/#client-config */
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { RoomId } from '#/protocol/ids/room-id.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import { defaultPushRules } from '#/protocol/push-rules/default-rules.ts'
import { ACCOUNT_DATA_BYTES_MAX, ACCOUNT_DATA_TYPE_BYTES_MAX } from './limits.ts'
import type { AccountHooks } from './options.ts'

/** Types that the server alone writes, by requests of their own. */
const SERVER_CONTROLLED = new Set(['m.fully_read', 'm.push_rules'])

export class AccountDataService {
  readonly #store: Store

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
    const room = await this.#room(userId, roomId)
    const row = await this.#store.accountData.get(userId, room, type)
    if (!row && type === 'm.push_rules' && room === 0) {
      return JSON.stringify({ global: defaultPushRules(userId) })
    }
    if (!row) throw new MatrixError('M_NOT_FOUND', 'There is no account data of this type.')
    return row.content
  }

  /** Sets content. Throws M_NOT_FOUND for a room the user has nothing to do with, M_INVALID_PARAM, M_TOO_LARGE. */
  async put(userId: UserId, roomId: RoomId | undefined, type: string, content: JsonObject): Promise<void> {
    if (type === '' || Buffer.byteLength(type) > ACCOUNT_DATA_TYPE_BYTES_MAX) {
      throw new MatrixError('M_INVALID_PARAM', `A type has 1 to ${ACCOUNT_DATA_TYPE_BYTES_MAX} bytes.`)
    }
    const text = JSON.stringify(content)
    if (Buffer.byteLength(text) > ACCOUNT_DATA_BYTES_MAX) {
      throw new MatrixError('M_TOO_LARGE', `Account data has at most ${ACCOUNT_DATA_BYTES_MAX} bytes.`)
    }
    const room = await this.#room(userId, roomId)
    const op = { op: 'account_data.put', user: userId, room, type, content: text } as const
    const more = room === 0 ? ((await this.#hooks.accountDataOps?.(userId, type, content)) ?? []) : []
    await this.#store.commit({ lane: userId, ops: [op, ...more] })
    if (more.length > 0) await this.#hooks.onAccountData?.(userId)
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
