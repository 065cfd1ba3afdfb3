/** Writing the user directory and OpenID tokens. */
import type { PeopleOp } from '#/ports/store/people.ts'
import { localpart } from '../directory/rank.ts'
import { termsOf } from '../directory/terms.ts'
import { putMeta } from '../migrations/index.ts'
import { first, lists, pairs, placeholders, run, type Sql } from '../sql/sql.ts'
import type { PlanContext } from './context.ts'
import { checkDirectory } from './directory-check.ts'

type OpOf<K extends PeopleOp['op']> = Extract<PeopleOp, { op: K }>

/** Name of the note in `myelin_meta` that says of which version the index is. */
export const DIRECTORY_META = 'directory'

/** Puts a user of this server into the directory as the profile says. Writes nothing where nothing changes. */
export function* indexPerson(ctx: PlanContext, user: string, fields: string): Sql<void> {
  const profile = JSON.parse(fields) as Record<string, unknown>
  const account = yield* first('SELECT deactivated, guest FROM accounts WHERE user_id = ?1', user)
  if (!account || account.deactivated === 1 || account.guest === 1) return yield* forgetPerson(user)
  yield* putPerson(ctx, user, true, textOf(profile['displayname']), textOf(profile['avatar_url']))
}

export function textOf(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

function* putPerson(
  ctx: PlanContext,
  user: string,
  local: boolean,
  displayName: string | null,
  avatarUrl: string | null,
): Sql<void> {
  const terms = termsOf(localpart(user), displayName)
  const text = JSON.stringify(terms)
  const known = yield* first(
    'SELECT nid, display_name, avatar_url, terms FROM directory_users WHERE user_id = ?1',
    user,
  )
  if (known?.display_name === displayName && known.avatar_url === avatarUrl && known.terms === text) return
  const nid = (known?.nid as number | undefined) ?? ctx.next()
  const before = new Set(known ? (JSON.parse(known.terms as string) as string[]) : [])
  const now = new Set(terms)
  yield* run(
    `INSERT INTO directory_users (nid, user_id, local, display_name, avatar_url, terms)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (user_id) DO UPDATE SET
       display_name = excluded.display_name, avatar_url = excluded.avatar_url, terms = excluded.terms`,
    nid,
    user,
    local ? 1 : 0,
    displayName,
    avatarUrl,
    text,
  )
  yield* dropTerms(
    nid,
    [...before].filter((term) => !now.has(term)),
  )
  const fresh = terms.filter((term) => !before.has(term))
  for (const list of lists(fresh)) {
    yield* run(
      `INSERT INTO directory_terms (term, person) VALUES ${pairs(1, list.length)} ON CONFLICT DO NOTHING`,
      ...list.flatMap((term) => [term, nid]),
    )
  }
}

export function* dropTerms(nid: number, terms: readonly string[]): Sql<void> {
  for (const list of lists(terms)) {
    yield* run(
      `DELETE FROM directory_terms WHERE person = ?1 AND term IN (${placeholders(2, list.length)})`,
      nid,
      ...list,
    )
  }
}

/** Takes somebody out of the directory. */
export function* forgetPerson(user: string): Sql<void> {
  const known = yield* first('SELECT nid, terms FROM directory_users WHERE user_id = ?1', user)
  if (!known) return
  yield* dropTerms(known.nid as number, JSON.parse(known.terms as string) as string[])
  yield* run('DELETE FROM directory_users WHERE nid = ?1', known.nid!)
}

function* putRemote(ctx: PlanContext, op: OpOf<'directory.remote'>): Sql<void> {
  yield* putPerson(ctx, op.user, false, op.displayName, op.avatarUrl)
}

function* putRoom(ctx: PlanContext, op: OpOf<'directory.room'>): Sql<void> {
  yield* markRoom(ctx.room(op.room), op.rule, op.open)
}

export function* markRoom(room: number, rule: string, open: boolean): Sql<void> {
  if (open) {
    yield* run('INSERT INTO directory_rooms (room, rule) VALUES (?1, ?2) ON CONFLICT DO NOTHING', room, rule)
  } else yield* run('DELETE FROM directory_rooms WHERE room = ?1 AND rule = ?2', room, rule)
}

function* reindex(ctx: PlanContext, op: OpOf<'directory.reindex'>): Sql<string | null> {
  const rows = yield* run(
    `SELECT a.user_id, COALESCE(p.fields, '{}') AS fields FROM accounts a
     LEFT JOIN profiles p ON p.user_id = a.user_id WHERE a.user_id > ?1 ORDER BY a.user_id LIMIT ?2`,
    op.after,
    op.limit,
  )
  for (const row of rows) yield* indexPerson(ctx, row.user_id as string, row.fields as string)
  return (rows.at(-1)?.user_id as string | undefined) ?? null
}

const RULES = [
  ['join_rules', 'm.room.join_rules', 'join_rule', 'public'],
  ['history_visibility', 'm.room.history_visibility', 'history_visibility', 'world_readable'],
] as const

function* reindexRooms(_ctx: PlanContext, op: OpOf<'directory.reindex_rooms'>): Sql<number | null> {
  const rooms = yield* run('SELECT nid FROM rooms WHERE nid > ?1 ORDER BY nid LIMIT ?2', op.after, op.limit)
  for (const { nid } of rooms) {
    for (const { rule, open } of yield* openRules(nid as number)) yield* markRoom(nid as number, rule, open)
  }
  return (rooms.at(-1)?.nid as number | undefined) ?? null
}

/** The two rules that make a room public, as its state has them. */
export function* openRules(room: number): Sql<{ rule: string; open: boolean }[]> {
  const found: { rule: string; open: boolean }[] = []
  for (const [rule, type, member, open] of RULES) {
    const event = yield* first(
      `SELECT e.json FROM state_keys k JOIN room_state s ON s.state_key = k.nid JOIN events e ON e.nid = s.event
       WHERE k.type = ?1 AND k.state_key = '' AND s.room = ?2 AND s.branch = 0`,
      type,
      room,
    )
    const content =
      event && (JSON.parse(event.json as string) as { content: Record<string, unknown> }).content
    found.push({ rule, open: content?.[member] === open })
  }
  return found
}

function* noteBuilt(_ctx: PlanContext, op: OpOf<'directory.built'>): Sql<void> {
  yield* putMeta(DIRECTORY_META, String(op.version))
}

function* putOpenid(_ctx: PlanContext, op: OpOf<'openid.put'>): Sql<void> {
  yield* run(
    'INSERT INTO openid_tokens (digest, user_id, expires_ts) VALUES (?1, ?2, ?3)',
    op.digest,
    op.user,
    op.expiresTs,
  )
  yield* run(
    `DELETE FROM openid_tokens WHERE user_id = ?1 AND digest NOT IN
       (SELECT digest FROM openid_tokens WHERE user_id = ?1 ORDER BY expires_ts DESC, digest LIMIT ?2)`,
    op.user,
    op.most,
  )
}

export const HANDLERS = {
  'directory.remote': putRemote,
  'directory.room': putRoom,
  'directory.reindex': reindex,
  'directory.reindex_rooms': reindexRooms,
  'directory.check': checkDirectory,
  'directory.built': noteBuilt,
  'openid.put': putOpenid,
} as const
