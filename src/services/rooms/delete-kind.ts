/** Kind of the jobs that clear away a room which nobody finds; their key is its row id. */
export const DELETE_KIND = 'rooms.delete'
