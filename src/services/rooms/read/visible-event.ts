/** One event, for those who may see it. */
import type { RoomRow } from '#/ports/store/rooms.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { RoomVersionRules } from '#/protocol/room-version/rules.ts'
import type { IgnoredUsers } from '../../accounts/ignored-users.ts'
import { accessRoom, rulesForEvents } from './access.ts'
import { canSee, type Seen } from './visibility.ts'

export interface VisibleEvent extends Seen {
  readonly room: RoomRow
  readonly rules: RoomVersionRules
}

/**
 * An event by its id, of whatever room where none is named. Throws M_NOT_FOUND also for events that the user may not
 * see, and for messages of those whom the user ignores.
 */
export async function visibleEvent(
  store: Store,
  ignored: IgnoredUsers,
  at: { readonly roomId: string | undefined; readonly eventId: string },
  userId: string,
): Promise<VisibleEvent> {
  const row = await store.events.byId(at.eventId)
  const room = row && (await store.rooms.byNid(row.room))
  const elsewhere = at.roomId !== undefined && room?.roomId !== at.roomId
  if (!row || !room || elsewhere || row.arrival === null) throw notFound()
  const rules = await rulesForEvents(store, room, userId)
  const seen = rules && (await canSee(store, row, userId, rules))
  if (!seen) throw notFound()
  if (row.stateKey === null && (await ignored.ignoredBy(userId)).has(row.sender)) throw notFound()
  return { ...seen, room, rules }
}

/** Throws M_NOT_FOUND in the same words for who may not see the room as it is now. */
export async function requireAccess(store: Store, roomId: string, userId: string): Promise<void> {
  await accessRoom(store, roomId, userId).catch((error: unknown) => {
    throw error instanceof MatrixError ? notFound() : error
  })
}

function notFound(): MatrixError {
  return new MatrixError('M_NOT_FOUND', 'There is no such event in this room, or you may not see it.')
}
