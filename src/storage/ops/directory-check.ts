/** Comparing the user directory and the room directory with accounts, profiles and the state of rooms. */
import type { DirectoryCheck, PeopleOp } from '#/ports/store/people.ts'
import { localpart } from '../directory/rank.ts'
import { termsOf } from '../directory/terms.ts'
import { ROOM_GOING } from '../sql/room-state.ts'
import { first, lists, placeholders, type Row, run, type Sql } from '../sql/sql.ts'
import type { PlanContext } from './context.ts'
import { followMembers, publishedFacts, refresh } from './directory.ts'
import { dropTerms, forgetPerson, indexPerson, markRoom, openRules, textOf } from './people.ts'

type Check = Extract<PeopleOp, { op: 'directory.check' }>

/** Looks at one page; with `repair` writes what it should be. */
export function checkDirectory(ctx: PlanContext, op: Check): Sql<DirectoryCheck> {
  if (op.part === 'users') return checkUsers(ctx, op)
  return op.part === 'terms' ? checkTerms(op) : checkRooms(op)
}

function* checkUsers(ctx: PlanContext, { after, limit, repair }: Check): Sql<DirectoryCheck> {
  const users = yield* run(
    `SELECT user_id FROM (SELECT user_id FROM accounts WHERE user_id > ?1
       UNION SELECT user_id FROM directory_users WHERE user_id > ?1) u ORDER BY user_id LIMIT ?2`,
    after,
    limit,
  )
  const wrong: string[] = []
  for (const row of users) {
    const user = row.user_id as string
    const known = yield* first(
      'SELECT nid, local, display_name, avatar_url, terms FROM directory_users WHERE user_id = ?1',
      user,
    )
    const account = yield* first(
      `SELECT a.deactivated, a.guest, COALESCE(p.fields, '{}') AS fields FROM accounts a
       LEFT JOIN profiles p ON p.user_id = a.user_id WHERE a.user_id = ?1`,
      user,
    )
    const found = yield* differenceOf(user, known, account)
    if (found === undefined) continue
    wrong.push(`${user}: ${found}`)
    if (!repair) continue
    /* Made anew from nothing, since what is there may be wrong in any way. */
    yield* forgetPerson(user)
    if (account) yield* indexPerson(ctx, user, account.fields as string)
  }
  const last = users.length < limit ? undefined : users.at(-1)
  return { rows: users.length, wrong, next: (last?.user_id as string | undefined) ?? null }
}

/** What of a directory entry is not as the account has it. Somebody from elsewhere has none, and is what was heard last. */
function* differenceOf(
  user: string,
  known: Row | undefined,
  account: Row | undefined,
): Sql<string | undefined> {
  const foreign = !account && known?.local === 0
  const listed = foreign || (account && account.deactivated === 0 && account.guest === 0)
  if (!listed) return known ? 'is listed, but has no account that should be' : undefined
  if (!known) return 'is not listed'
  const profile = foreign
    ? { displayname: known.display_name, avatar_url: known.avatar_url }
    : (JSON.parse(account!.fields as string) as Record<string, unknown>)
  const name = textOf(profile['displayname'])
  if (known.display_name !== name) return 'is listed by another name'
  if (known.avatar_url !== textOf(profile['avatar_url'])) return 'is listed with another avatar'
  const terms = termsOf(localpart(user), name)
  if (known.terms !== JSON.stringify(terms)) return 'is indexed by other words'
  let indexed = 0
  for (const list of lists(terms)) {
    const rows = yield* run(
      `SELECT term FROM directory_terms WHERE person = ?1 AND term IN (${placeholders(2, list.length)})`,
      known.nid as number,
      ...list,
    )
    indexed += rows.length
  }
  return indexed === new Set(terms).size ? undefined : 'is not found by all words of the name'
}

/** Words that lead to nobody, or to somebody whose name does not have them. */
function* checkTerms({ after, limit, repair }: Check): Sql<DirectoryCheck> {
  const [term, person] = after === '' ? ['', -1] : (JSON.parse(after) as [string, number])
  const rows = yield* run(
    `SELECT t.term, t.person, u.user_id, u.terms FROM directory_terms t
     LEFT JOIN directory_users u ON u.nid = t.person
     WHERE (t.term, t.person) > (?1, ?2) ORDER BY t.term, t.person LIMIT ?3`,
    term,
    person,
    limit,
  )
  const wrong: string[] = []
  for (const row of rows) {
    const own = row.terms === null ? [] : (JSON.parse(row.terms as string) as string[])
    if (own.includes(row.term as string)) continue
    wrong.push(`${row.user_id ?? `entry ${row.person}`}: is found by a word that is not in the name`)
    if (repair) yield* dropTerms(row.person as number, [row.term as string])
  }
  const last = rows.length < limit ? undefined : rows.at(-1)
  return { rows: rows.length, wrong, next: last ? JSON.stringify([last.term, last.person]) : null }
}

function* checkRooms({ after, limit, repair }: Check): Sql<DirectoryCheck> {
  const rows = yield* run(
    `SELECT r.nid, r.room_id, p.room AS published, p.shown, p.joined, p.type, p.search, h.joined AS members
     FROM rooms r LEFT JOIN published_rooms p ON p.room = r.nid LEFT JOIN room_heads h ON h.room = r.nid
     WHERE r.nid > ?1 AND r.stale <> ${ROOM_GOING} ORDER BY r.nid LIMIT ?2`,
    Number(after),
    limit,
  )
  const wrong: string[] = []
  for (const row of rows) {
    const room = row.nid as number
    const name = row.room_id as string
    for (const { rule, open } of yield* openRules(room)) {
      const marked = yield* first(
        'SELECT room FROM directory_rooms WHERE room = ?1 AND rule = ?2',
        room,
        rule,
      )
      if ((marked !== undefined) === open) continue
      wrong.push(`${name}: its ${rule} are not what the user directory takes them for`)
      if (repair) yield* markRoom(room, rule, open)
    }
    if (row.published === null) continue
    const facts = yield* publishedFacts(room)
    const same = row.shown === facts.shown && row.type === facts.type && row.search === facts.search
    if (same && row.joined === row.members) continue
    wrong.push(`${name}: is published with ${same ? 'another number of members' : 'other facts'}`)
    if (!repair) continue
    yield* refresh(room)
    yield* followMembers(room)
  }
  const last = rows.length < limit ? undefined : rows.at(-1)
  return { rows: rows.length, wrong, next: last ? String(last.nid) : null }
}
