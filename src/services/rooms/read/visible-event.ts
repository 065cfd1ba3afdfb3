/** One event, for those who may see it. */
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { IgnoredUsers } from '../../accounts/ignored-users.ts'
import { accessRoom, type RoomAccess } from './access.ts'
import { canSee, type Seen } from './visibility.ts'

export interface VisibleEvent extends Seen {
  readonly access: RoomAccess
}

/** Throws M_NOT_FOUND also for events that the user may not see, and for messages of those whom the user ignores. */
export async function visibleEvent(
  store: Store,
  ignored: IgnoredUsers,
  at: { readonly roomId: string; readonly eventId: string },
  userId: string,
): Promise<VisibleEvent> {
  const row = await store.events.byId(at.eventId)
  const room = await store.rooms.byId(at.roomId)
  if (!row || !room || row.room !== room.nid || row.arrival === null) throw notFound()
  const access = await accessRoom(store, at.roomId, userId).catch((error: unknown) => {
    throw error instanceof MatrixError ? notFound() : error
  })
  const seen = await canSee(store, row, userId, access.rules)
  if (!seen) throw notFound()
  if (row.stateKey === null && (await ignored.ignoredBy(userId)).has(row.sender)) throw notFound()
  return { ...seen, access }
}

function notFound(): MatrixError {
  return new MatrixError('M_NOT_FOUND', 'There is no such event in this room, or you may not see it.')
}
