import { ID_BYTES_MAX } from '../limits.ts'
import type { Id } from './brand.ts'
import { parseServerName, type ServerName } from './server-name.ts'

/** `$opaque:server` in room versions 1 and 2, `$` and a hash from 3. Opaque to everyone. */
export type EventId = Id<`$${string}`, 'EventId'>

/** What others may send: `$`, then at least one character, without NUL, at most 255 bytes. */
export function parseEventId(text: string): EventId | undefined {
  if (text.charCodeAt(0) !== 0x24 || text.length < 2 || text.length > ID_BYTES_MAX) return undefined
  if (Buffer.byteLength(text) > ID_BYTES_MAX || text.includes('\0') || !text.isWellFormed()) return undefined
  return text as EventId
}

/** An event id of room versions 1 and 2. Throws on a bad part. */
export function mintEventId(opaque: string, server: ServerName): EventId {
  const id = `$${opaque}:${server}`
  const plain = opaque.length > 0 && [...opaque].every((c) => /^[A-Za-z0-9]$/.test(c))
  if (!plain || parseServerName(server) === undefined || parseEventId(id) === undefined) {
    throw new RangeError(`bad event id ${id}`)
  }
  return id as EventId
}
