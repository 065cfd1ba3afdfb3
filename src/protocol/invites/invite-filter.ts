/** Which invites a user wants, from their account data. Clients write it, so it may be anything. */
import { foldText, foldToString } from '../glob/fold.ts'
import { compileGlob, type Glob, globIsLiteral, globMatches } from '../glob/glob.ts'
import { serverOf, type UserId } from '../ids/user-id.ts'
import { isArray, isObject, type JsonValue, member } from '../json/value.ts'
import { INVITE_PATTERN_MAX } from './limits.ts'

/** https://spec.matrix.org/v1.18/client-server-api/#invite-permission */
export const INVITE_PERMISSION = 'm.invite_permission_config'
/** https://github.com/matrix-org/matrix-spec-proposals/pull/4155 */
export const INVITE_RULES = 'org.matrix.msc4155.invite_permission_config'

/** What becomes of an invite: it is shown, accepted and not shown, or refused. */
export type InviteAnswer = 'allow' | 'ignore' | 'block'

const ANSWERS = { allowed: 'allow', ignored: 'ignore', blocked: 'block' } as const

/** The patterns of one list. Those without wildcards are looked up, the others tried. */
interface Patterns {
  readonly answer: InviteAnswer
  readonly literals: ReadonlySet<string>
  readonly globs: readonly Glob[]
}

export class InviteFilter {
  /** Number of patterns with wildcards. */
  readonly globs: number
  readonly #blocksAll: boolean
  readonly #users: readonly Patterns[]
  readonly #servers: readonly Patterns[]

  /** `permission` is the content of INVITE_PERMISSION, `rules` that of INVITE_RULES. */
  constructor(permission?: JsonValue, rules?: JsonValue) {
    this.#blocksAll = isObject(permission) && member(permission, 'default_action') === 'block'
    this.#users = listsOf(rules, 'users')
    this.#servers = listsOf(rules, 'servers')
    this.globs = [...this.#users, ...this.#servers].reduce((sum, { globs }) => sum + globs.length, 0)
  }

  /** What becomes of an invite by a user; undefined for one that nobody knows the sender of. */
  answer(sender: string | undefined): InviteAnswer {
    if (this.#blocksAll) return 'block'
    if (sender === undefined) return 'allow'
    return first(this.#users, sender) ?? first(this.#servers, serverOf(sender as UserId)) ?? 'allow'
  }
}

function listsOf(rules: JsonValue | undefined, what: 'users' | 'servers'): Patterns[] {
  if (!isObject(rules)) return []
  return Object.entries(ANSWERS).flatMap(([name, answer]) => {
    const list = member(rules, `${name}_${what}`)
    return isArray(list) ? [patternsOf(list, answer)] : []
  })
}

function patternsOf(list: readonly JsonValue[], answer: InviteAnswer): Patterns {
  const literals = new Set<string>()
  const globs: Glob[] = []
  for (const pattern of list) {
    if (typeof pattern !== 'string' || pattern === '' || pattern.length > INVITE_PATTERN_MAX) continue
    const glob = compileGlob(pattern)
    if (globIsLiteral(glob)) literals.add(foldToString(pattern))
    else globs.push(glob)
  }
  return { answer, literals, globs }
}

function first(lists: readonly Patterns[], text: string): InviteAnswer | undefined {
  if (lists.length === 0) return undefined
  const folded = foldText(text)
  const literal = foldToString(text)
  const hit = lists.find(
    ({ literals, globs }) => literals.has(literal) || globs.some((glob) => globMatches(glob, folded)),
  )
  return hit?.answer
}
