/** Rules of the operator on who may make aliases and publish rooms: `alias_creation_rules` and its sister. */
import { foldText } from '#/protocol/glob/fold.ts'
import { compileGlob, type Glob, globMatches } from '#/protocol/glob/glob.ts'

/** One rule; its three patterns must all fit. Null fits everything. */
export interface DirectoryRule {
  readonly userId: string | null
  readonly alias: string | null
  readonly roomId: string | null
  readonly action: 'allow' | 'deny'
}

/**
 * Whether a user may do it with a room and some aliases. The first rule that fits decides, without one it is denied.
 * A room without aliases fits those rules alone that ask for none.
 */
export type DirectoryPolicy = (userId: string, roomId: string, aliases: readonly string[]) => boolean

export function directoryPolicy(rules: readonly DirectoryRule[]): DirectoryPolicy {
  const compiled = rules.map((rule) => ({
    allow: rule.action === 'allow',
    user: globOf(rule.userId),
    room: globOf(rule.roomId),
    alias: globOf(rule.alias),
  }))
  return (userId, roomId, aliases) => {
    const [user, room] = [foldText(userId), foldText(roomId)]
    const names = aliases.map(foldText)
    const rule = compiled.find(
      (rule) =>
        (!rule.user || globMatches(rule.user, user)) &&
        (!rule.room || globMatches(rule.room, room)) &&
        fitsAlias(rule.alias, names),
    )
    return rule?.allow ?? false
  }
}

function fitsAlias(glob: Glob | undefined, names: readonly Int32Array[]): boolean {
  return glob === undefined || names.some((name) => globMatches(glob, name))
}

/** Undefined for a pattern that fits everything. */
function globOf(pattern: string | null): Glob | undefined {
  return pattern === null || pattern === '*' ? undefined : compileGlob(pattern)
}
