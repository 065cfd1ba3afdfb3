/** Writing keys of devices and users, and the stream of device lists. */
import { hash } from 'node:crypto'
import type { ClaimedKey, ClaimWish, KeyCounts, KeyOp, StoredKey } from '#/ports/store/keys.ts'
import { CLAIMED_KEYS_KEPT } from '../limits.ts'
import { byCount, pieces, rowMarks } from '../sql/rows.ts'
import { first, lists, placeholders, run, type Sql, type SqlValue } from '../sql/sql.ts'
import { GuardFailed, type PlanContext } from './context.ts'

type OpOf<K extends KeyOp['op']> = Extract<KeyOp, { op: K }>

/**
 * Notes that the devices or keys of a user changed: for all who share a room with them or, with a viewer, for that
 * one alone. The change names the rooms, so that whoever wakes others needs not ask.
 */
export function* noteDeviceList(ctx: PlanContext, user: string, viewer = ''): Sql<void> {
  const position = ctx.next()
  yield* run(
    `INSERT INTO device_list_changes (user_id, viewer, pos) VALUES (?1, ?2, ?3)
     ON CONFLICT (user_id, viewer) DO UPDATE SET pos = excluded.pos WHERE excluded.pos > device_list_changes.pos`,
    user,
    viewer,
    position,
  )
  if (viewer !== '') {
    ctx.changes.push({ stream: 'device_lists', position, user, viewer })
    return
  }
  const rows = yield* run(
    `SELECT room FROM local_memberships WHERE user_id = ?1 AND membership = 'join'`,
    user,
  )
  ctx.changes.push({ stream: 'device_lists', position, user, rooms: rows.map((row) => row.room as number) })
}

export function* uploadKeys(ctx: PlanContext, op: OpOf<'keys.upload'>): Sql<KeyCounts> {
  const { user, device } = op
  const there = yield* first(
    'SELECT device_id FROM devices WHERE user_id = ?1 AND device_id = ?2',
    user,
    device,
  )
  if (!there) throw new GuardFailed({ conflict: 'gone', value: device })
  const known = yield* first(
    'SELECT nid, body, signatures FROM device_keys WHERE user_id = ?1 AND device_id = ?2',
    user,
    device,
  )
  const nid = (known?.nid as number | undefined) ?? ctx.next()
  if (known === undefined) {
    yield* run('INSERT INTO device_keys (nid, user_id, device_id) VALUES (?1, ?2, ?3)', nid, user, device)
  }
  const { keys } = op
  if (keys && (known?.body !== keys.body || known.signatures !== keys.signatures)) {
    yield* run(
      'UPDATE device_keys SET body = ?2, signatures = ?3 WHERE nid = ?1',
      nid,
      keys.body,
      keys.signatures,
    )
    yield* noteDeviceList(ctx, user)
  }
  yield* putOneTimeKeys(ctx, nid, op.oneTime)
  for (const { algorithm, keyId, json } of op.fallback) yield* putFallback(nid, algorithm, keyId, json)
  const rows = yield* run(
    'SELECT algorithm, COUNT(*) AS n FROM one_time_keys WHERE device = ?1 GROUP BY algorithm',
    nid,
  )
  const counts = Object.fromEntries(rows.map((row) => [row.algorithm as string, row.n as number]))
  const total = Object.values(counts).reduce((sum, n) => sum + n, 0)
  if (op.oneTime.length > 0 && total > op.most) throw new GuardFailed({ conflict: 'full' })
  ctx.changes.push({ stream: 'one_time_keys', position: ctx.next(), user, device })
  return counts
}

function* putOneTimeKeys(ctx: PlanContext, device: number, keys: readonly StoredKey[]): Sql<void> {
  const stored = new Map<string, string>()
  for (const list of lists([...new Set(keys.map(({ keyId }) => keyId))])) {
    const rows = yield* run(
      `SELECT algorithm, key_id, json FROM one_time_keys WHERE device = ?1 AND key_id IN (${placeholders(2, list.length)})`,
      device,
      ...list,
    )
    for (const row of rows) stored.set(`${row.algorithm}:${row.key_id}`, row.json as string)
  }
  const claimed = yield* alreadyClaimed(device, keys)
  const fresh: SqlValue[][] = []
  for (const key of keys) {
    const { algorithm, keyId, json } = key
    const name = `${algorithm}:${keyId}`
    const known = stored.get(name)
    if (known === json || claimed.has(digestOf(key))) continue
    if (known !== undefined) throw new GuardFailed({ conflict: 'taken', value: name })
    fresh.push([device, algorithm, ctx.next(), keyId, json])
  }
  for (const rows of pieces(fresh)) yield* run(insertKeys(rows.length), ...rows.flat())
}

/**
 * Which of some keys were claimed already: a client whose upload was not answered sends the same keys again, and what
 * somebody was given in between must not be given to anybody else. Read after the keys that wait: one that is claimed
 * meanwhile is seen here or there. Of those that were claimed longest ago the oldest are forgotten.
 */
function* alreadyClaimed(device: number, keys: readonly StoredKey[]): Sql<Set<string>> {
  const claimed = new Set<string>()
  for (const list of lists(keys.map(digestOf))) {
    const rows = yield* run(
      `SELECT digest FROM claimed_keys WHERE device = ?1 AND digest IN (${placeholders(2, list.length)})`,
      device,
      ...list,
    )
    for (const row of rows) claimed.add(row.digest as string)
  }
  if (keys.length > 0) {
    yield* run(
      `DELETE FROM claimed_keys WHERE device = ?1 AND nid <= (
         SELECT nid FROM claimed_keys WHERE device = ?1 ORDER BY nid DESC LIMIT 1 OFFSET ?2)`,
      device,
      CLAIMED_KEYS_KEPT,
    )
  }
  return claimed
}

/** 96 bits over a key and its id. */
function digestOf({ algorithm, keyId, json }: StoredKey): string {
  return hash('sha256', `${algorithm}:${keyId}:${json}`, 'base64url').slice(0, 16)
}

/** The same key again stays used: the device has just not heard of it. */
function* putFallback(device: number, algorithm: string, keyId: string, json: string): Sql<void> {
  yield* run(
    `INSERT INTO fallback_keys (device, algorithm, key_id, used, json) VALUES (?1, ?2, ?3, 0, ?4)
     ON CONFLICT (device, algorithm) DO UPDATE SET key_id = excluded.key_id, used = 0, json = excluded.json
       WHERE fallback_keys.json <> excluded.json OR fallback_keys.key_id <> excluded.key_id`,
    device,
    algorithm,
    keyId,
    json,
  )
}

/** Devices by row id. */
type Devices = Map<number, { readonly user: string; readonly device: string }>

export function* claimKeys(ctx: PlanContext, op: OpOf<'keys.claim'>): Sql<ClaimedKey[]> {
  const claimed: ClaimedKey[] = []
  const byAlgorithm = new Map<string, ClaimWish[]>()
  for (const wish of op.wishes) {
    const wishes = byAlgorithm.get(wish.algorithm)
    if (wishes) wishes.push(wish)
    else byAlgorithm.set(wish.algorithm, [wish])
  }
  for (const [algorithm, wishes] of byAlgorithm) {
    for (const list of lists(wishes)) {
      const devices = yield* devicesOf(list)
      const left = yield* takeOneTimeKeys(algorithm, devices, claimed)
      if (left.length > 0) yield* takeFallbacks(algorithm, devices, left, claimed)
    }
  }
  const position = claimed.length === 0 ? 0 : ctx.next()
  for (const { user, device } of claimed) {
    ctx.changes.push({ stream: 'one_time_keys', position, user, device, claimed: true })
  }
  return claimed
}

function* devicesOf(wishes: readonly ClaimWish[]): Sql<Devices> {
  const rows = yield* run(
    devicesNamed(wishes.length),
    ...wishes.flatMap(({ user, device }) => [user, device]),
  )
  const byNid = rows.map(
    (row) => [row.nid as number, { user: row.user_id as string, device: row.device_id as string }] as const,
  )
  return new Map(byNid.sort(([a], [b]) => a - b))
}

const takeOldest = byCount(
  (count) => `DELETE FROM one_time_keys WHERE algorithm = ?1 AND (device, nid) IN (
    SELECT CAST(d.column1 AS BIGINT), (SELECT k.nid FROM one_time_keys k
      WHERE k.device = CAST(d.column1 AS BIGINT) AND k.algorithm = ?1 ORDER BY k.nid LIMIT 1)
    FROM (VALUES ${rowMarks(count, 1, 2)}) d) RETURNING device, nid, key_id, json`,
)

const noteClaimed = byCount(
  (count) => `INSERT INTO claimed_keys (device, digest, nid) VALUES ${rowMarks(count, 3)}
    ON CONFLICT (device, digest) DO NOTHING`,
)

const devicesNamed = byCount(
  (count) => `SELECT d.nid, d.user_id, d.device_id FROM (VALUES ${rowMarks(count, 2)}) w
    JOIN device_keys d ON d.user_id = w.column1 AND d.device_id = w.column2`,
)

const insertKeys = byCount(
  (count) => `INSERT INTO one_time_keys (device, algorithm, nid, key_id, json) VALUES ${rowMarks(count, 5)}`,
)

/**
 * Takes the oldest key of each device; gives those that have none. Where another transaction took the same key first,
 * the statement finds nothing although there are more: it is asked again until there are none.
 */
function* takeOneTimeKeys(algorithm: string, devices: Devices, into: ClaimedKey[]): Sql<number[]> {
  let left = [...devices.keys()]
  while (left.length > 0) {
    const [list] = lists(left)
    const rows = yield* run(takeOldest(list!.length), algorithm, ...list!)
    const done = new Set<number>()
    const digests: (string | number)[] = []
    for (const row of rows) {
      done.add(row.device as number)
      const { user, device } = devices.get(row.device as number)!
      const key = { algorithm, keyId: row.key_id as string, json: row.json as string }
      into.push({ user, device, ...key })
      digests.push(row.device as number, digestOf(key), row.nid as number)
    }
    if (rows.length > 0) {
      yield* run(noteClaimed(rows.length), ...digests)
    }
    left = left.filter((nid) => !done.has(nid))
    if (left.length === 0) break
    const [rest] = lists(left)
    const more = yield* run(
      `SELECT d.nid FROM device_keys d WHERE d.nid IN (${placeholders(2, rest!.length)})
         AND EXISTS (SELECT 1 FROM one_time_keys k WHERE k.device = d.nid AND k.algorithm = ?1)`,
      algorithm,
      ...rest!,
    )
    if (more.length === 0) break
  }
  return left
}

function* takeFallbacks(algorithm: string, devices: Devices, nids: number[], into: ClaimedKey[]): Sql<void> {
  const [list] = lists(nids)
  const rows = yield* run(
    `UPDATE fallback_keys SET used = 1 WHERE algorithm = ?1 AND device IN (${placeholders(2, list!.length)})
     RETURNING device, key_id, json`,
    algorithm,
    ...list!,
  )
  for (const row of rows) {
    const { user, device } = devices.get(row.device as number)!
    into.push({ user, device, algorithm, keyId: row.key_id as string, json: row.json as string })
  }
}

export function* putCrossSigning(ctx: PlanContext, op: OpOf<'keys.cross_signing'>): Sql<void> {
  const { user, keys } = op
  if (keys.length === 0) return
  const named = yield* first(
    `SELECT device_id FROM devices WHERE user_id = ?1 AND device_id IN (${placeholders(2, keys.length)})`,
    user,
    ...keys.map(({ publicKey }) => publicKey),
  )
  if (named) throw new GuardFailed({ conflict: 'taken', value: named.device_id as string })
  for (const { usage, publicKey, body, signatures } of keys) {
    /* What others signed was the key that goes. */
    if (usage === 'master') {
      yield* run('DELETE FROM user_signatures WHERE user_id = ?1 AND public_key <> ?2', user, publicKey)
    }
    if (usage === 'user_signing') {
      yield* run(
        'DELETE FROM user_signatures WHERE signer = ?1 AND key_id <> ?2',
        user,
        `ed25519:${publicKey}`,
      )
    }
    yield* run(
      `INSERT INTO cross_signing_keys (user_id, usage, public_key, body, signatures) VALUES (?1, ?2, ?3, ?4, ?5)
       ON CONFLICT (user_id, usage) DO UPDATE SET public_key = excluded.public_key, body = excluded.body,
         signatures = excluded.signatures`,
      user,
      usage,
      publicKey,
      body,
      signatures,
    )
  }
  /* The user-signing key is for its owner alone. */
  const hidden = keys.every(({ usage }) => usage === 'user_signing')
  yield* noteDeviceList(ctx, user, hidden ? user : '')
}

export function* putSignatures(ctx: PlanContext, op: OpOf<'keys.sign'>): Sql<void> {
  const [row] =
    op.device === undefined
      ? yield* run(
          `UPDATE cross_signing_keys SET signatures = ?3 WHERE user_id = ?1 AND usage = 'master' AND body = ?2
           RETURNING user_id`,
          op.user,
          op.body,
          op.signatures,
        )
      : yield* run(
          'UPDATE device_keys SET signatures = ?4 WHERE user_id = ?1 AND device_id = ?2 AND body = ?3 RETURNING nid',
          op.user,
          op.device,
          op.body,
          op.signatures,
        )
  if (!row) throw new GuardFailed({ conflict: 'gone' })
  yield* noteDeviceList(ctx, op.user)
}

export function* putUserSignature(ctx: PlanContext, op: OpOf<'keys.sign_user'>): Sql<void> {
  yield* run(
    `INSERT INTO user_signatures (signer, user_id, public_key, key_id, signature) VALUES (?1, ?2, ?3, ?4, ?5)
     ON CONFLICT (signer, user_id) DO UPDATE SET public_key = excluded.public_key, key_id = excluded.key_id,
       signature = excluded.signature`,
    op.signer,
    op.user,
    op.publicKey,
    op.keyId,
    op.signature,
  )
  yield* noteDeviceList(ctx, op.user, op.signer)
}

/** Deletes the keys of devices that go, those named or all, but for one that is kept; tells that they have none now. */
export function* deleteKeysOfDevices(
  ctx: PlanContext,
  user: string,
  devices: readonly string[] | undefined,
  keep: string,
): Sql<void> {
  const among = devices ? ` AND device_id IN (${placeholders(3, devices.length)})` : ''
  const params = [user, keep, ...(devices ?? [])]
  const gone = `SELECT nid FROM device_keys WHERE user_id = ?1 AND device_id <> ?2${among}`
  yield* run(`DELETE FROM one_time_keys WHERE device IN (${gone})`, ...params)
  yield* run(`DELETE FROM claimed_keys WHERE device IN (${gone})`, ...params)
  yield* run(`DELETE FROM fallback_keys WHERE device IN (${gone})`, ...params)
  const deleted = `DELETE FROM device_keys WHERE user_id = ?1 AND device_id <> ?2${among} RETURNING device_id`
  const rows = yield* run(deleted, ...params)
  const position = rows.length === 0 ? 0 : ctx.next()
  for (const row of rows) {
    ctx.changes.push({ stream: 'one_time_keys', position, user, device: row.device_id as string })
  }
}

/** Deletes what a user has beside the keys of devices. */
export function* deleteKeysOfUser(ctx: PlanContext, user: string): Sql<void> {
  yield* run('DELETE FROM cross_signing_keys WHERE user_id = ?1', user)
  yield* run('DELETE FROM user_signatures WHERE signer = ?1 OR user_id = ?1', user)
  yield* run('DELETE FROM device_list_changes WHERE viewer = ?1', user)
  yield* noteDeviceList(ctx, user)
}

type Handlers = {
  readonly [K in KeyOp['op']]: (ctx: PlanContext, op: OpOf<K>) => Sql<unknown>
}

export const KEY_HANDLERS: Handlers = {
  'keys.upload': uploadKeys,
  'keys.claim': claimKeys,
  'keys.cross_signing': putCrossSigning,
  'keys.sign': putSignatures,
  'keys.sign_user': putUserSignature,
}
