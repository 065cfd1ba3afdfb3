import { ID_BYTES_MAX } from '../limits.ts'
import type { Id } from './brand.ts'
import type { EventId } from './event-id.ts'
import { parseServerName, type ServerName } from './server-name.ts'

/** `!opaque` or `!opaque:server`; opaque to everyone. https://spec.matrix.org/v1.16/appendices/#room-ids */
export type RoomId = Id<`!${string}`, 'RoomId'>

/** What others may send: `!`, then at least one character, without NUL, at most 255 bytes. */
export function parseRoomId(text: string): RoomId | undefined {
  if (text.charCodeAt(0) !== 0x21 || text.length < 2 || text.length > ID_BYTES_MAX) return undefined
  if (Buffer.byteLength(text) > ID_BYTES_MAX || text.includes('\0') || !text.isWellFormed()) return undefined
  return text as RoomId
}

/** A room id of versions 1 to 11: 18 random letters and our name. Throws on a bad part. */
export function mintRoomId(opaque: string, server: ServerName): RoomId {
  const id = `!${opaque}:${server}`
  const letters = opaque.length > 0 && [...opaque].every((c) => /^[A-Za-z0-9]$/.test(c))
  if (!letters || parseServerName(server) === undefined || parseRoomId(id) === undefined) {
    throw new RangeError(`bad room id ${id}`)
  }
  return id as RoomId
}

/** Room version 12: the room id is the event id of the create event with `!` instead of `$`. */
export function roomIdOfCreate(createEventId: EventId): RoomId {
  return `!${createEventId.slice(1)}` as RoomId
}

/** Room version 12: the event id of the create event that a room id names. */
export function createEventIdOf(roomId: RoomId): EventId {
  return `$${roomId.slice(1)}` as EventId
}
