/** Finding people. See docs/decisions/0010-directory.md. */
import type {
  DirectoryPage,
  DirectorySearch,
  MutualRooms,
  PeopleReader,
  PersonRow,
} from '#/ports/store/people.ts'
import {
  ACQUAINTANCES_MAX,
  CANDIDATES_MAX,
  REMOTE_ROWS_MAX,
  SCAN_ROWS_MAX,
  VISIBILITY_MAX,
} from '../directory/limits.ts'
import { type Person, ranked } from '../directory/rank.ts'
import { type Question, questionOf } from '../directory/terms.ts'
import { DIRECTORY_META } from '../ops/people.ts'
import { first, lists, placeholders, type Row, run, type Sql } from '../sql/sql.ts'
import { type Query, query } from './query.ts'

/** Above every text that begins with a prefix. */
const LAST = '\u{10ffff}'

/** Row ids of people who have a word that begins so; `full` when there were more than are read. */
function* peopleWith(from: string, to: string): Sql<{ ids: Set<number>; full: boolean }> {
  const rows = yield* run(
    'SELECT person FROM directory_terms WHERE term >= ?1 AND term < ?2 LIMIT ?3',
    from,
    to,
    SCAN_ROWS_MAX,
  )
  return { ids: new Set(rows.map((row) => row.person as number)), full: rows.length === SCAN_ROWS_MAX }
}

/**
 * People who may be an answer. Words with few people are met with each other; when every word has too many, those
 * who share a room with the searcher are looked at too, so that nobody misses a friend behind strangers.
 */
function* candidates({ words, grams }: Question, searcher: string): Sql<Set<number>> {
  let few: Set<number> | undefined
  let many: Set<number> | undefined
  for (const word of words) {
    const { ids, full } = yield* peopleWith(word, word + LAST)
    if (full) many ??= ids
    else few = few === undefined ? ids : few.intersection(ids)
  }
  const found = few ?? many ?? new Set<number>()
  if (few === undefined && many !== undefined) for (const id of yield* acquaintances(searcher)) found.add(id)
  if (found.size < SCAN_ROWS_MAX) for (const id of yield* similar(grams)) found.add(id)
  return found
}

function* acquaintances(searcher: string): Sql<number[]> {
  const rows = yield* run(
    `SELECT DISTINCT d.nid FROM local_memberships m
     JOIN local_memberships o ON o.room = m.room AND o.membership = 'join'
     JOIN directory_users d ON d.user_id = o.user_id
     WHERE m.user_id = ?1 AND m.membership = 'join' LIMIT ?2`,
    searcher,
    ACQUAINTANCES_MAX,
  )
  return rows.map((row) => row.nid as number)
}

/** People who have more than half of the trigrams. */
function* similar(grams: readonly string[]): Sql<number[]> {
  const hits = new Map<number, number>()
  for (const gram of grams) {
    const rows = yield* run(
      'SELECT person FROM directory_terms WHERE term = ?1 LIMIT ?2',
      gram,
      SCAN_ROWS_MAX,
    )
    for (const row of rows) hits.set(row.person as number, (hits.get(row.person as number) ?? 0) + 1)
  }
  return [...hits].filter(([, count]) => 2 * count > grams.length).map(([id]) => id)
}

function personFrom(row: Row): Person {
  return {
    userId: row.user_id as string,
    displayName: row.display_name as string | null,
    avatarUrl: row.avatar_url as string | null,
    local: row.local === 1,
    terms: JSON.parse(row.terms as string) as string[],
  }
}

const PERSON = `SELECT d.user_id, d.display_name, d.avatar_url, d.local, d.terms FROM directory_users d
  LEFT JOIN accounts a ON a.user_id = d.user_id
  WHERE COALESCE(a.deactivated, 0) = 0 AND (COALESCE(a.locked, 0) = 0 OR ?1 = 1) AND (d.local = 1 OR ?2 = 0)`

function* load(search: DirectorySearch, question: Question, ids: Iterable<number>): Sql<Person[]> {
  const which = [search.showLocked ? 1 : 0, search.localOnly ? 1 : 0] as const
  const people = new Map<string, Person>()
  if (question.userId !== undefined) {
    const row = yield* first(`${PERSON} AND d.user_id = ?3`, ...which, question.userId)
    if (row) people.set(question.userId, personFrom(row))
  }
  for (const list of lists([...ids].slice(0, CANDIDATES_MAX))) {
    const rows = yield* run(`${PERSON} AND d.nid IN (${placeholders(3, list.length)})`, ...which, ...list)
    for (const row of rows) people.set(row.user_id as string, personFrom(row))
  }
  return [...people.values()]
}

/** Between two of nearly the same rank the one at home wins, where that is wanted. */
const LOCAL_BONUS = 30

/** Nobody shares a room with themselves. */
const PUBLIC = 'EXISTS (SELECT 1 FROM directory_rooms p WHERE p.room = c.room)'

const SEEN_IN = `(EXISTS (SELECT 1 FROM directory_rooms p WHERE p.room = {room}) OR EXISTS (SELECT 1
  FROM local_memberships s WHERE s.user_id = ?1 AND s.room = {room} AND s.membership = 'join'))`

/**
 * The rule of the directory: a user is shown those who share a room with them, and those who are in a room that
 * anybody may join or read. The only place that decides it.
 */
function* visibleAmong(
  searcher: string,
  people: readonly Pick<Person, 'userId' | 'local'>[],
): Sql<Set<string>> {
  const seen = new Set<string>()
  const here = people.filter(({ local }) => local).map(({ userId }) => userId)
  for (const list of lists(here)) {
    const rows = yield* run(
      `SELECT DISTINCT c.user_id FROM local_memberships c WHERE c.membership = 'join'
       AND c.user_id IN (${placeholders(2, list.length)}) AND CASE WHEN c.user_id = ?1 THEN ${PUBLIC}
       ELSE ${SEEN_IN.replaceAll('{room}', 'c.room')} END`,
      searcher,
      ...list,
    )
    for (const row of rows) seen.add(row.user_id as string)
  }
  const elsewhere = people.filter(({ local }) => !local).map(({ userId }) => userId)
  for (const list of lists(elsewhere)) {
    const rows = yield* run(
      `SELECT k.state_key AS user_id, e.json FROM state_keys k
       JOIN room_state r ON r.state_key = k.nid AND r.branch = 0 JOIN events e ON e.nid = r.event
       WHERE k.type = 'm.room.member' AND k.state_key IN (${placeholders(2, list.length)})
         AND ${SEEN_IN.replaceAll('{room}', 'r.room')} LIMIT ${REMOTE_ROWS_MAX}`,
      searcher,
      ...list,
    )
    for (const row of rows) if (isJoin(row.json as string)) seen.add(row.user_id as string)
  }
  return seen
}

function isJoin(json: string): boolean {
  return (JSON.parse(json) as { content: { membership?: unknown } }).content.membership === 'join'
}

/** People asked about at once: the best few are often enough. */
const LOOK = 64

const search = query(
  'people.search',
  'large',
  function* (asked: DirectorySearch): Sql<DirectoryPage> {
    const question = questionOf(asked.term)
    const people = yield* load(asked, question, yield* candidates(question, asked.searcher))
    const best = ranked(people, question, asked.localFirst ? LOCAL_BONUS : 0).filter(
      ({ userId }) => !asked.all || userId !== asked.searcher,
    )
    const shown: Person[] = []
    for (let at = 0; at < Math.min(best.length, VISIBILITY_MAX) && shown.length <= asked.limit; at += LOOK) {
      const some = best.slice(at, at + LOOK)
      const seen = asked.all ? undefined : yield* visibleAmong(asked.searcher, some)
      shown.push(...some.filter(({ userId }) => seen?.has(userId) ?? true))
    }
    const rows = shown.slice(0, asked.limit)
    return {
      people: rows.map(
        ({ userId, displayName, avatarUrl }): PersonRow => ({ userId, displayName, avatarUrl }),
      ),
      limited: shown.length > asked.limit,
    }
  },
  { snapshot: true },
)

const visible = query('people.visible', 'large', function* (searcher: string, other: string): Sql<boolean> {
  const account = yield* first('SELECT user_id FROM accounts WHERE user_id = ?1', other)
  const seen = yield* visibleAmong(searcher, [{ userId: other, local: account !== undefined }])
  return seen.has(other)
})

const shareRoom = query('people.shareRoom', 'large', function* (user: string, other: string): Sql<boolean> {
  const local = yield* first(
    `SELECT 1 AS found FROM local_memberships o WHERE o.user_id = ?2 AND o.membership = 'join' AND EXISTS
       (SELECT 1 FROM local_memberships m WHERE m.user_id = ?1 AND m.room = o.room AND m.membership = 'join') LIMIT 1`,
    user,
    other,
  )
  if (local) return true
  const remote = yield* run(
    `SELECT e.json FROM state_keys k JOIN room_state r ON r.state_key = k.nid AND r.branch = 0
     JOIN events e ON e.nid = r.event WHERE k.type = 'm.room.member' AND k.state_key = ?2 AND EXISTS
       (SELECT 1 FROM local_memberships m WHERE m.user_id = ?1 AND m.room = r.room AND m.membership = 'join')
     LIMIT ${REMOTE_ROWS_MAX}`,
    user,
    other,
  )
  return remote.some((row) => isJoin(row.json as string))
})

const mutualRooms = query(
  'people.mutualRooms',
  'large',
  function* (user: string, other: string, after: string, limit: number): Sql<MutualRooms> {
    const own = yield* run(
      `SELECT r.nid, r.room_id FROM local_memberships m JOIN rooms r ON r.nid = m.room
       WHERE m.user_id = ?1 AND m.membership = 'join' AND EXISTS (SELECT 1 FROM state_keys k
         JOIN room_state s ON s.state_key = k.nid AND s.branch = 0 AND s.room = m.room
         WHERE k.type = 'm.room.member' AND k.state_key = ?2) ORDER BY r.room_id`,
      user,
      other,
    )
    const shared: string[] = []
    for (const list of lists(own)) {
      const rows = yield* run(
        `SELECT s.room, e.json FROM state_keys k JOIN room_state s ON s.state_key = k.nid AND s.branch = 0
         JOIN events e ON e.nid = s.event WHERE k.type = 'm.room.member' AND k.state_key = ?1
           AND s.room IN (${placeholders(2, list.length)})`,
        other,
        ...list.map((row) => row.nid as number),
      )
      const joined = new Set(rows.filter((row) => isJoin(row.json as string)).map((row) => row.room))
      for (const row of list) if (joined.has(row.nid!)) shared.push(row.room_id as string)
    }
    const rooms = [...new Set(shared)]
    const page = rooms.filter((roomId) => roomId > after)
    return { rooms: page.slice(0, limit), more: page.length > limit, count: rooms.length }
  },
  { snapshot: true },
)

const directoryVersion = query('people.directoryVersion', 'small', function* (): Sql<number | undefined> {
  const row = yield* first('SELECT value FROM myelin_meta WHERE name = ?1', DIRECTORY_META)
  return row && Number(row.value)
})

const openid = query('people.openid', 'small', function* (digest: string, now: number): Sql<
  string | undefined
> {
  const row = yield* first(
    'SELECT user_id FROM openid_tokens WHERE digest = ?1 AND expires_ts > ?2',
    digest,
    now,
  )
  return row?.user_id as string | undefined
})

type Bind = <Args extends readonly unknown[], T>(query: Query<Args, T>) => (...args: Args) => Promise<T>

export function bindPeople(bind: Bind): PeopleReader {
  return {
    search: bind(search),
    visible: bind(visible),
    shareRoom: bind(shareRoom),
    mutualRooms: bind(mutualRooms),
    directoryVersion: bind(directoryVersion),
    openid: bind(openid),
  }
}
