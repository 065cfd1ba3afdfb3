/** Writing backups of room keys. */
import type { BackupOp, BackupState } from '#/ports/store/backups.ts'
import { byCount, pieces, rowMarks } from '../sql/rows.ts'
import { first, type Row, run, type Sql, type SqlValue } from '../sql/sql.ts'
import { GuardFailed, type PlanContext } from './context.ts'

type OpOf<K extends BackupOp['op']> = Extract<BackupOp, { op: K }>

function* create(ctx: PlanContext, op: OpOf<'backup.create'>): Sql<number> {
  const [counter] = yield* run(
    `INSERT INTO backup_users (user_id, last) VALUES (?1, 1)
     ON CONFLICT (user_id) DO UPDATE SET last = backup_users.last + 1 RETURNING last`,
    op.user,
  )
  const version = counter!.last as number
  yield* run(
    `INSERT INTO backup_versions (nid, user_id, version, algorithm, auth_data, keys, etag)
     VALUES (?1, ?2, ?3, ?4, ?5, 0, 0)`,
    ctx.next(),
    op.user,
    version,
    op.algorithm,
    op.authData,
  )
  yield* run(
    `UPDATE backup_versions SET user_id = NULL WHERE user_id = ?1 AND version NOT IN
       (SELECT version FROM backup_versions WHERE user_id = ?1 ORDER BY version DESC LIMIT ?2)`,
    op.user,
    op.most,
  )
  return version
}

function* update(_ctx: PlanContext, op: OpOf<'backup.update'>): Sql<void> {
  const rows = yield* run(
    'UPDATE backup_versions SET auth_data = ?3 WHERE user_id = ?1 AND version = ?2 RETURNING nid',
    op.user,
    op.version,
    op.authData,
  )
  if (rows.length === 0) throw new GuardFailed({ conflict: 'gone' })
}

/** Its keys are left to the sweep. */
function* remove(_ctx: PlanContext, op: OpOf<'backup.delete'>): Sql<void> {
  const counter = yield* first('SELECT last FROM backup_users WHERE user_id = ?1', op.user)
  if (op.version < 1 || op.version > Number(counter?.last ?? 0)) throw new GuardFailed({ conflict: 'gone' })
  yield* run(
    'UPDATE backup_versions SET user_id = NULL WHERE user_id = ?1 AND version = ?2',
    op.user,
    op.version,
  )
}

function* clear(_ctx: PlanContext, op: OpOf<'backup.clear'>): Sql<void> {
  yield* run('UPDATE backup_versions SET user_id = NULL WHERE user_id = ?1', op.user)
  yield* run('DELETE FROM backup_users WHERE user_id = ?1', op.user)
}

const COLUMNS = 7

const BETTER = `excluded.verified > backup_keys.verified OR (excluded.verified = backup_keys.verified AND
  (excluded.first_index < backup_keys.first_index OR (excluded.first_index = backup_keys.first_index AND
  excluded.forwarded < backup_keys.forwarded)))`

function putText(count: number): string {
  return `INSERT INTO backup_keys (backup, room_id, session_id, first_index, forwarded, verified, data)
    VALUES ${rowMarks(count, COLUMNS)} ON CONFLICT (backup, room_id, session_id) DO UPDATE SET
      first_index = excluded.first_index, forwarded = excluded.forwarded, verified = excluded.verified,
      data = excluded.data WHERE ${BETTER} RETURNING session_id`
}

const puts = byCount(putText)

const known = byCount(
  (count) => `SELECT COUNT(*) AS n FROM (VALUES ${rowMarks(count, 2, 2)}) v JOIN backup_keys k
    ON k.backup = ?1 AND k.room_id = v.column1 AND k.session_id = v.column2`,
)

function* put(_ctx: PlanContext, op: OpOf<'backup.put'>): Sql<BackupState> {
  const current = yield* first(
    'SELECT nid, version, keys, etag FROM backup_versions WHERE user_id = ?1 ORDER BY version DESC LIMIT 1',
    op.user,
  )
  if (!current || current.version !== op.version) throw new GuardFailed({ conflict: 'gone' })
  const nid = current.nid as number
  let [added, changed] = [0, 0]
  for (const keys of pieces(op.keys)) {
    const names = keys.flatMap(({ roomId, sessionId }) => [roomId, sessionId])
    const there = yield* first(known(keys.length), nid, ...names)
    added += keys.length - Number(there?.n)
    const values = keys.flatMap((key): SqlValue[] => [
      nid,
      key.roomId,
      key.sessionId,
      key.firstIndex,
      key.forwarded,
      key.verified ? 1 : 0,
      key.data,
    ])
    changed += (yield* run(puts(keys.length), ...values)).length
  }
  if (changed === 0) return stateFrom(current)
  if ((current.keys as number) + added > op.most) throw new GuardFailed({ conflict: 'taken' })
  return yield* counted(nid, added)
}

function stateFrom(row: Row): BackupState {
  return { count: row.keys as number, etag: row.etag as number }
}

function* counted(nid: number, added: number): Sql<BackupState> {
  const [row] = yield* run(
    'UPDATE backup_versions SET keys = keys + ?2, etag = etag + 1 WHERE nid = ?1 RETURNING keys, etag',
    nid,
    added,
  )
  return stateFrom(row!)
}

function* drop(_ctx: PlanContext, op: OpOf<'backup.drop'>): Sql<BackupState & { deleted: number }> {
  const version = yield* first(
    'SELECT nid, keys, etag FROM backup_versions WHERE user_id = ?1 AND version = ?2',
    op.user,
    op.version,
  )
  if (!version) throw new GuardFailed({ conflict: 'gone' })
  const nid = version.nid as number
  const which: string[] = []
  if (op.roomId !== undefined) which.push(op.roomId)
  if (op.sessionId !== undefined) which.push(op.sessionId)
  const deleted = yield* deleteKeys(nid, which, op.limit)
  return { ...(deleted === 0 ? stateFrom(version) : yield* counted(nid, -deleted)), deleted }
}

/** Deletes keys of a version, of a room or of a session in it. */
function* deleteKeys(nid: number, which: readonly string[], limit: number): Sql<number> {
  const room = which.length > 0 ? ' AND room_id = ?3' : ''
  const session = which.length > 1 ? ' AND session_id = ?4' : ''
  const rows = yield* run(
    `DELETE FROM backup_keys WHERE backup = ?1 AND (room_id, session_id) IN (SELECT room_id, session_id
       FROM backup_keys WHERE backup = ?1${room}${session} ORDER BY room_id, session_id LIMIT ?2) RETURNING session_id`,
    nid,
    limit,
    ...which,
  )
  return rows.length
}

/** Empties deleted versions, at most `limit` keys; gives how many rows went. */
export function* sweepBackups(limit: number): Sql<number> {
  let gone = 0
  while (gone < limit) {
    const version = yield* first('SELECT nid FROM backup_versions WHERE user_id IS NULL LIMIT 1')
    if (!version) return gone
    gone += yield* deleteKeys(version.nid as number, [], limit - gone)
    if (gone >= limit) return gone
    yield* run('DELETE FROM backup_versions WHERE nid = ?1', version.nid!)
    gone++
  }
  return gone
}

export const HANDLERS = {
  'backup.create': create,
  'backup.update': update,
  'backup.delete': remove,
  'backup.put': put,
  'backup.drop': drop,
  'backup.clear': clear,
} as const
