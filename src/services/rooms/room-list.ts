/** The rooms of one user. */
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'

export class RoomList {
  readonly #store: Store
  readonly #onForget: (userId: string, room: number) => void

  constructor(deps: { store: Store; onForget: (userId: string, room: number) => void }) {
    this.#store = deps.store
    this.#onForget = deps.onForget
  }

  /** Ids of the rooms that a user is joined to. */
  async joined(userId: string): Promise<string[]> {
    const rows = await this.#store.rooms.membershipsOf(userId)
    return rows.filter((row) => row.membership === 'join').map((row) => row.roomId)
  }

  /** Takes a room that was left out of the user's sight. Forgetting twice, or a room never known, changes nothing. */
  async forget(userId: string, roomId: string): Promise<void> {
    const room = await this.#store.rooms.byId(roomId)
    const row = room && (await this.#store.rooms.membership(room.nid, userId))
    if (!room || !row || row.forgotten) return
    const plan = { lane: roomId, ops: [{ op: 'room.forget', room: room.nid, user: userId } as const] }
    const result = await this.#store.commit(plan)
    if (!result.ok) throw new MatrixError('M_UNKNOWN', 'Leave the room before you forget it.')
    this.#onForget(userId, room.nid)
  }
}
