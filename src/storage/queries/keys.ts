/** Reading keys of devices and users, and the stream of device lists. */
import type {
  CrossSigningRow,
  CrossSigningUsage,
  DeviceKeyState,
  DeviceKeysRow,
  DeviceName,
  KeyReader,
  KeysOfUser,
  UserSignature,
} from '#/ports/store/keys.ts'
import { crossSigningText, deviceKeysText } from '#/protocol/keys/answer.ts'
import { READ_PAGE_ROWS } from '../limits.ts'
import { first, lists, PAUSE, placeholders, type Row, run, type Sql } from '../sql/sql.ts'
import { type Query, query } from './query.ts'

const DEVICE = `SELECT k.user_id, k.device_id, k.body, k.signatures, d.display_name FROM device_keys k
  JOIN devices d ON d.user_id = k.user_id AND d.device_id = k.device_id WHERE k.body IS NOT NULL`

function deviceFrom(row: Row): DeviceKeysRow {
  return {
    user: row.user_id as string,
    device: row.device_id as string,
    body: row.body as string,
    signatures: row.signatures as string,
    displayName: row.display_name as string | null,
  }
}

const CROSS = 'SELECT user_id, usage, public_key, body, signatures FROM cross_signing_keys'

function crossFrom(row: Row): CrossSigningRow {
  return {
    user: row.user_id as string,
    usage: row.usage as CrossSigningUsage,
    publicKey: row.public_key as string,
    body: row.body as string,
    signatures: row.signatures as string,
  }
}

const NOTHING: DeviceKeyState = { counts: {}, unusedFallbacks: [] }

const state = query('keys.state', 'small', function* (user: string, device: string): Sql<DeviceKeyState> {
  const row = yield* first('SELECT nid FROM device_keys WHERE user_id = ?1 AND device_id = ?2', user, device)
  if (!row) return NOTHING
  const counted = yield* run(
    'SELECT algorithm, COUNT(*) AS n FROM one_time_keys WHERE device = ?1 GROUP BY algorithm',
    row.nid!,
  )
  const unused = yield* run(
    'SELECT algorithm FROM fallback_keys WHERE device = ?1 AND used = 0 ORDER BY algorithm',
    row.nid!,
  )
  return {
    counts: Object.fromEntries(counted.map(({ algorithm, n }) => [algorithm as string, n as number])),
    unusedFallbacks: unused.map(({ algorithm }) => algorithm as string),
  }
})

const device = query('keys.device', 'small', function* (user: string, name: string): Sql<
  DeviceKeysRow | undefined
> {
  const row = yield* first(`${DEVICE} AND k.user_id = ?1 AND k.device_id = ?2`, user, name)
  return row && deviceFrom(row)
})

const crossSigning = query('keys.crossSigning', 'small', function* (user: string): Sql<CrossSigningRow[]> {
  return (yield* run(`${CROSS} WHERE user_id = ?1`, user)).map(crossFrom)
})

/* Texts are made where they are read: as rows they would cross to another thread one by one. */
const queryKeys = query(
  'keys.query',
  'large',
  function* (users: readonly string[]): Sql<KeysOfUser[]> {
    const found: KeysOfUser[] = []
    for (const list of lists([...new Set(users)])) {
      const devices = yield* devicesOf(list)
      const cross = new Map<string, CrossSigningRow[]>()
      for (const row of yield* run(`${CROSS} WHERE user_id IN (${placeholders(1, list.length)})`, ...list)) {
        const key = crossFrom(row)
        const keys = cross.get(key.user)
        if (keys) keys.push(key)
        else cross.set(key.user, [key])
      }
      for (const [user, text] of devices) {
        found.push({ user, devices: `{${text}}`, ...crossOf(cross.get(user)) })
      }
      yield PAUSE
    }
    return found
  },
  { snapshot: true },
)

/** Members of the object of devices, for those users who have an account. */
function* devicesOf(users: readonly string[]): Sql<Map<string, string>> {
  const rows = yield* run(
    `SELECT a.user_id, d.device_id, k.body, k.signatures, d.display_name FROM accounts a
       LEFT JOIN device_keys k ON k.user_id = a.user_id AND k.body IS NOT NULL
       LEFT JOIN devices d ON d.user_id = k.user_id AND d.device_id = k.device_id
     WHERE a.user_id IN (${placeholders(1, users.length)})`,
    ...users,
  )
  const texts = new Map<string, string>()
  for (const { user_id, device_id, body, signatures, display_name } of rows) {
    const known = texts.get(user_id as string) ?? ''
    let text = known
    if (device_id !== null) {
      const parts = { body: body as string, signatures: signatures as string }
      const keys = deviceKeysText(parts, display_name as string | null)
      text = `${known}${known === '' ? '' : ','}${JSON.stringify(device_id)}:${keys}`
    }
    texts.set(user_id as string, text)
  }
  return texts
}

function crossOf(rows: readonly CrossSigningRow[] = []): Partial<KeysOfUser> {
  const of = (usage: CrossSigningUsage) => rows.find((row) => row.usage === usage)
  const [master, self, user] = [of('master'), of('self_signing'), of('user_signing')]
  return {
    ...(master && { master }),
    ...(self && { selfSigning: crossSigningText(self) }),
    ...(user && { userSigning: crossSigningText(user) }),
  }
}

const signedBy = query('keys.signedBy', 'small', function* (signer: string, users: readonly string[]): Sql<
  UserSignature[]
> {
  const any = yield* first('SELECT 1 AS one FROM user_signatures WHERE signer = ?1 LIMIT 1', signer)
  const found: UserSignature[] = []
  for (const list of any ? lists(users) : []) {
    const rows = yield* run(
      `SELECT user_id, public_key, key_id, signature FROM user_signatures
       WHERE signer = ?1 AND user_id IN (${placeholders(2, list.length)})`,
      signer,
      ...list,
    )
    for (const row of rows) found.push(signatureFrom(signer, row))
  }
  return found
})

function signatureFrom(signer: string, row: Row): UserSignature {
  return {
    signer,
    user: row.user_id as string,
    publicKey: row.public_key as string,
    keyId: row.key_id as string,
    signature: row.signature as string,
  }
}

/** Rooms of somebody of another server whose member events are read. */
const REMOTE_ROWS_MAX = 10_000

/** Those of some users who share a room with `user`. The only place that decides it for device lists. */
function* sharingOf(user: string, others: readonly string[], except: readonly number[]): Sql<Set<string>> {
  const found = new Set<string>()
  const excluded = new Set(except)
  for (const list of lists([...new Set(others)])) {
    const rows = yield* run(
      `SELECT DISTINCT o.user_id, o.room FROM local_memberships o WHERE o.user_id IN (${placeholders(2, list.length)})
         AND o.membership = 'join' AND EXISTS (SELECT 1 FROM local_memberships m
           WHERE m.user_id = ?1 AND m.room = o.room AND m.membership = 'join')`,
      user,
      ...list,
    )
    for (const row of rows) if (!excluded.has(row.room as number)) found.add(row.user_id as string)
    const here = yield* run(
      `SELECT user_id FROM accounts WHERE user_id IN (${placeholders(1, list.length)})`,
      ...list,
    )
    const local = new Set(here.map((row) => row.user_id))
    const elsewhere = list.filter((other) => !local.has(other))
    if (elsewhere.length > 0) yield* remoteSharing(user, elsewhere, excluded, found)
    yield PAUSE
  }
  return found
}

function* remoteSharing(
  user: string,
  others: readonly string[],
  excluded: ReadonlySet<number>,
  into: Set<string>,
): Sql<void> {
  for (const list of lists(others)) {
    const rows = yield* run(
      `SELECT k.state_key AS user_id, r.room, e.json FROM state_keys k
       JOIN room_state r ON r.state_key = k.nid AND r.branch = 0 JOIN events e ON e.nid = r.event
       WHERE k.type = 'm.room.member' AND k.state_key IN (${placeholders(2, list.length)}) AND EXISTS
         (SELECT 1 FROM local_memberships m WHERE m.user_id = ?1 AND m.room = r.room AND m.membership = 'join')
       LIMIT ${REMOTE_ROWS_MAX}`,
      user,
      ...list,
    )
    for (const row of rows) {
      if (!excluded.has(row.room as number) && isJoin(row.json as string)) into.add(row.user_id as string)
    }
  }
}

function isJoin(json: string): boolean {
  return (JSON.parse(json) as { content: { membership?: unknown } }).content.membership === 'join'
}

const changed = query('keys.changed', 'large', function* (viewer: string, after: number, upto: number): Sql<
  string[]
> {
  const rows = yield* run(
    `SELECT user_id, viewer FROM device_list_changes WHERE pos > ?2 AND pos <= ?3 AND viewer IN ('', ?1)`,
    viewer,
    after,
    upto,
  )
  const found = new Set<string>()
  const asked: string[] = []
  for (const row of rows) {
    const user = row.user_id as string
    if (row.viewer !== '' || user === viewer) found.add(user)
    else asked.push(user)
  }
  for (const user of yield* sharingOf(viewer, asked, [])) found.add(user)
  return [...found]
})

const sharing = query(
  'keys.sharing',
  'large',
  function* (user: string, others: readonly string[], except: readonly number[]): Sql<string[]> {
    return [...(yield* sharingOf(user, others, except))]
  },
)

const joined = query('keys.joined', 'large', function* (room: number, most: number): Sql<string[]> {
  const found: string[] = []
  let after = ''
  for (;;) {
    const rows = yield* run(
      `SELECT k.state_key AS user_id, e.json FROM room_state r JOIN state_keys k ON k.nid = r.state_key
       JOIN events e ON e.nid = r.event
       WHERE r.room = ?1 AND r.branch = 0 AND k.type = 'm.room.member' AND k.state_key > ?2
       ORDER BY k.state_key LIMIT ${READ_PAGE_ROWS}`,
      room,
      after,
    )
    for (const row of rows) if (isJoin(row.json as string)) found.push(row.user_id as string)
    if (rows.length < READ_PAGE_ROWS || found.length > most) return found.slice(0, most)
    after = rows.at(-1)!.user_id as string
    yield PAUSE
  }
})

const joins = query('keys.joins', 'large', function* (events: readonly number[]): Sql<
  { event: number; join: boolean }[]
> {
  const found = new Map<number, boolean>()
  for (const list of lists(events)) {
    const rows = yield* run(
      `SELECT nid, json FROM events WHERE nid IN (${placeholders(1, list.length)})`,
      ...list,
    )
    for (const row of rows) found.set(row.nid as number, isJoin(row.json as string))
  }
  return [...found].map(([event, join]) => ({ event, join }))
})

const staleDevices = query('keys.staleDevices', 'large', function* (before: number, limit: number): Sql<
  DeviceName[]
> {
  const found: DeviceName[] = []
  let after = ['', '']
  for (;;) {
    const rows = yield* run(
      `SELECT user_id, device_id, COALESCE(seen_ts, created_ts) AS used FROM devices
         WHERE (user_id, device_id) > (?1, ?2) ORDER BY user_id, device_id LIMIT ${READ_PAGE_ROWS}`,
      ...after,
    )
    for (const row of rows) {
      if ((row.used as number) >= before) continue
      found.push({ user: row.user_id as string, device: row.device_id as string })
      if (found.length === limit) return found
    }
    const last = rows.at(-1)
    if (!last || rows.length < READ_PAGE_ROWS) return found
    after = [last.user_id as string, last.device_id as string]
    yield PAUSE
  }
})

type Bind = <Args extends readonly unknown[], T>(query: Query<Args, T>) => (...args: Args) => Promise<T>

export function bindKeys(bind: Bind): KeyReader {
  return {
    state: bind(state),
    device: bind(device),
    crossSigning: bind(crossSigning),
    query: bind(queryKeys),
    signedBy: bind(signedBy),
    changed: bind(changed),
    sharing: bind(sharing),
    joined: bind(joined),
    joins: bind(joins),
    staleDevices: bind(staleDevices),
  }
}
