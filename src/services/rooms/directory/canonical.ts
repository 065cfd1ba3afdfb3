/** What m.room.canonical_alias may say. https://spec.matrix.org/v1.19/client-server-api/#mroomcanonical_alias */
import type { DirectoryReader } from '#/ports/store/directory.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseRoomAlias } from '#/protocol/ids/room-alias.ts'
import { isArray, type JsonObject, type JsonValue, member } from '#/protocol/json/value.ts'
import { CANONICAL_NEW_MAX } from './limits.ts'

/** Aliases that a content names; anything of a wrong type is left out. */
export function aliasesIn(content: JsonObject | undefined): string[] {
  if (content === undefined) return []
  const others = member(content, 'alt_aliases')
  const all = [member(content, 'alias'), ...(isArray(others) ? others : [])]
  return [...new Set(all.filter((alias) => typeof alias === 'string' && alias !== ''))] as string[]
}

/** The aliases that an event would add to those of the present one. Throws M_INVALID_PARAM for what is no alias. */
export function addedAliases(content: JsonObject, present: JsonObject | undefined): string[] {
  const alias = member(content, 'alias')
  if (alias !== undefined && alias !== null && typeof alias !== 'string') throw malformed()
  const others = member(content, 'alt_aliases')
  if (others !== undefined && (!isArray(others) || others.some((item) => typeof item !== 'string'))) {
    throw malformed()
  }
  const before = new Set(aliasesIn(present))
  const added = aliasesIn(content).filter((name) => !before.has(name))
  if (added.some((name) => parseRoomAlias(name) === undefined)) throw malformed()
  if (added.length > CANONICAL_NEW_MAX) {
    throw new MatrixError('M_INVALID_PARAM', `One event may add at most ${CANONICAL_NEW_MAX} aliases.`)
  }
  return added
}

/** Throws M_BAD_ALIAS unless all the aliases name the room. */
export async function requireAliasesOf(
  directory: DirectoryReader,
  room: number,
  added: readonly string[],
): Promise<void> {
  if (added.length === 0) return
  const known = new Map((await directory.aliases(added)).map((row) => [row.alias, row.room]))
  const wrong = added.find((alias) => known.get(alias) !== room)
  if (wrong !== undefined) throw badAlias(wrong)
}

export function badAlias(alias: string): MatrixError<'M_BAD_ALIAS'> {
  return new MatrixError('M_BAD_ALIAS', `The alias ${alias} does not point to this room.`)
}

/** The content without some aliases, or undefined when it names none of them. */
export function withoutAliases(content: JsonObject, gone: ReadonlySet<string>): JsonObject | undefined {
  if (!aliasesIn(content).some((alias) => gone.has(alias))) return undefined
  const { alias, alt_aliases: others, ...rest } = content
  const kept: Record<string, JsonValue> = { ...rest }
  if (alias !== undefined && !gone.has(alias as string)) kept['alias'] = alias
  if (isArray(others)) {
    const left = others.filter((other) => typeof other !== 'string' || !gone.has(other))
    if (left.length > 0) kept['alt_aliases'] = left
  }
  return kept
}

function malformed(): MatrixError<'M_INVALID_PARAM'> {
  return new MatrixError('M_INVALID_PARAM', 'The event names something that is not a room alias.')
}
