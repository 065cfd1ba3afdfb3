/** Value of `rooms.stale` for a room that is being deleted: nobody finds it any more, and its rows go slice by slice. */
export const ROOM_GOING = 2
