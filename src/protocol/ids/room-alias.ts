import { ID_BYTES_MAX } from '../limits.ts'
import type { Id } from './brand.ts'
import { parseServerName, type ServerName } from './server-name.ts'

/** `#alias:server`. https://spec.matrix.org/v1.16/appendices/#room-aliases */
export type RoomAlias = Id<`#${string}:${string}`, 'RoomAlias'>

/** Any localpart without `:` and NUL, a server name by the grammar, at most 255 bytes. */
export function parseRoomAlias(text: string): RoomAlias | undefined {
  if (text.charCodeAt(0) !== 0x23) return undefined
  const colon = text.indexOf(':')
  if (colon < 0 || text.length > ID_BYTES_MAX || Buffer.byteLength(text) > ID_BYTES_MAX) return undefined
  if (text.includes('\0') || !text.isWellFormed()) return undefined
  return parseServerName(text.slice(colon + 1)) === undefined ? undefined : (text as RoomAlias)
}

/** What we create: a localpart that is not empty and has no white space. Throws on a bad one. */
export function mintRoomAlias(localpart: string, server: ServerName): RoomAlias {
  const id = `#${localpart}:${server}`
  const bad = localpart.length === 0 || [...localpart].some((c) => c === ':' || c.trim() === '' || c < '!')
  if (bad || parseRoomAlias(id) === undefined) throw new RangeError(`bad room alias ${id}`)
  return id as RoomAlias
}

/** The server that an alias belongs to. */
export function aliasServerOf(alias: RoomAlias): ServerName {
  return alias.slice(alias.indexOf(':') + 1) as ServerName
}
