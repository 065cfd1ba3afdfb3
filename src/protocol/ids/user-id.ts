import { ID_BYTES_MAX } from '../limits.ts'
import type { Id } from './brand.ts'
import { parseServerName, type ServerName } from './server-name.ts'

/** `@localpart:server`. https://spec.matrix.org/v1.16/appendices/#user-identifiers */
export type UserId = Id<`@${string}:${string}`, 'UserId'>

/**
 * What others may send: the historical grammar. Any localpart, even an empty one, without `:` and NUL; a server
 * name by the grammar; at most 255 bytes.
 */
export function parseUserId(text: string): UserId | undefined {
  if (text.charCodeAt(0) !== 0x40) return undefined
  const colon = text.indexOf(':')
  if (colon < 0 || text.length > ID_BYTES_MAX || Buffer.byteLength(text) > ID_BYTES_MAX) return undefined
  if (text.includes('\0') || !text.isWellFormed()) return undefined
  return parseServerName(text.slice(colon + 1)) === undefined ? undefined : (text as UserId)
}

/** Whether a localpart fits what may be created today: `a-z`, `0-9`, `.`, `_`, `=`, `-`, `/`, `+`, not empty. */
export function isStrictLocalpart(localpart: string): boolean {
  if (localpart.length === 0) return false
  for (let i = 0; i < localpart.length; i++) {
    const c = localpart.charCodeAt(i)
    const alnum = (c >= 0x30 && c <= 0x39) || (c >= 0x61 && c <= 0x7a)
    if (!alnum && !'._=-/+'.includes(localpart[i]!)) return false
  }
  return true
}

/** What we create: strict grammar. Throws, because a bad one is our bug. */
export function mintUserId(localpart: string, server: ServerName): UserId {
  const id = `@${localpart}:${server}`
  if (!isStrictLocalpart(localpart) || parseUserId(id) === undefined)
    throw new RangeError(`bad user id ${id}`)
  return id as UserId
}

/** The part between `@` and the first colon. */
export function localpartOf(id: UserId): string {
  return id.slice(1, id.indexOf(':'))
}

/** The server of a user id. */
export function serverOf(id: UserId): ServerName {
  return id.slice(id.indexOf(':') + 1) as ServerName
}
