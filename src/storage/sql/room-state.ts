/**
 * Value of `rooms.stale` for a room that nobody finds: it is being deleted, or made, slice by slice. The one that is
 * being made has a head.
 */
export const ROOM_GOING = 2

/** What stands in place of the id of such a room, which may be anybody's. */
export function hiddenRoomId(nid: number): string {
  return `-${nid}`
}
