/** Rooms that two users share. https://spec.matrix.org/v1.19/client-server-api/#mutual-rooms */
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'

export class MutualRoomsService {
  readonly #store: Store

  constructor(deps: { store: Store }) {
    this.#store = deps.store
  }

  /**
   * A page of the rooms to which both are joined, in the order of their ids, behind the one that `from` names; `next`
   * names the last where there are more. Throws M_INVALID_PARAM for a bad token and for oneself.
   */
  async page(
    user: UserId,
    other: UserId,
    from: string | undefined,
    limit: number,
  ): Promise<{
    readonly rooms: readonly string[]
    readonly count: number
    readonly next: string | undefined
  }> {
    if (user === other) throw new MatrixError('M_INVALID_PARAM', 'You share every room with yourself.')
    const after = from === undefined ? '' : roomOf(from)
    const { rooms, more, count } = await this.#store.people.mutualRooms(user, other, after, limit)
    const last = rooms.at(-1)
    return { rooms, count, next: more && last ? Buffer.from(last).toString('base64url') : undefined }
  }
}

function roomOf(token: string): string {
  const roomId = parseRoomId(Buffer.from(token, 'base64url').toString())
  if (roomId === undefined || Buffer.from(roomId).toString('base64url') !== token) {
    throw new MatrixError('M_INVALID_PARAM', 'This page token is not known.')
  }
  return roomId
}
