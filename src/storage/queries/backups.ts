/** Reading backups of room keys. */
import type {
  BackupKeyRow,
  BackupPage,
  BackupPlace,
  BackupReader,
  BackupVersionRow,
} from '#/ports/store/backups.ts'
import { backedUpKeyText } from '#/protocol/keys/backup-key.ts'
import { first, type Row, run, type Sql, type SqlValue } from '../sql/sql.ts'
import { type Query, query } from './query.ts'

const VERSION = 'SELECT version, algorithm, auth_data, keys, etag FROM backup_versions WHERE user_id = ?1'

const version = query('backups.version', 'small', function* (user: string, number?: number): Sql<
  BackupVersionRow | undefined
> {
  const row =
    number === undefined
      ? yield* first(`${VERSION} ORDER BY version DESC LIMIT 1`, user)
      : yield* first(`${VERSION} AND version = ?2`, user, number)
  return (
    row && {
      version: row.version as number,
      algorithm: row.algorithm as string,
      authData: row.auth_data as string,
      count: row.keys as number,
      etag: row.etag as number,
    }
  )
})

const last = query('backups.last', 'small', function* (user: string): Sql<number> {
  const row = yield* first('SELECT last FROM backup_users WHERE user_id = ?1', user)
  return (row?.last as number | undefined) ?? 0
})

const KEY = 'SELECT room_id, session_id, first_index, forwarded, verified, data FROM backup_keys'

const OWNED = 'SELECT nid FROM backup_versions WHERE user_id = ?1 AND version = ?2'

function keyFrom(row: Row): BackupKeyRow {
  return {
    roomId: row.room_id as string,
    sessionId: row.session_id as string,
    firstIndex: row.first_index as number,
    forwarded: row.forwarded as number,
    verified: row.verified === 1,
    data: row.data as string,
  }
}

const keys = query(
  'backups.keys',
  'large',
  function* (
    user: string,
    number: number,
    roomId: string | null,
    after: BackupPlace,
    limit: number,
  ): Sql<BackupPage | undefined> {
    const owned = yield* first(OWNED, user, number)
    if (!owned) return undefined
    const params: SqlValue[] = [owned.nid!, limit, ...after]
    if (roomId !== null) params.push(roomId)
    const rows = yield* run(
      `${KEY} WHERE backup = ?1 AND (room_id, session_id) > (?3, ?4)${roomId === null ? '' : ' AND room_id = ?5'}
       ORDER BY room_id, session_id LIMIT ?2`,
      ...params,
    )
    return pageOf(rows.map(keyFrom))
  },
  { snapshot: true },
)

/* Made into text where it is read: as rows the keys would cross to another thread one by one. */
function pageOf(keys: readonly BackupKeyRow[]): BackupPage {
  const rooms = new Map<string, string[]>()
  for (const key of keys) {
    const text = `${JSON.stringify(key.sessionId)}:${backedUpKeyText(key)}`
    const texts = rooms.get(key.roomId)
    if (texts) texts.push(text)
    else rooms.set(key.roomId, [text])
  }
  const texts = [...rooms].map(([room, sessions]) => [room, sessions.join(',')] as const)
  const last = keys.at(-1)
  return { rooms: texts, count: keys.length, ...(last && { last: [last.roomId, last.sessionId] }) }
}

const key = query(
  'backups.key',
  'small',
  function* (user: string, number: number, roomId: string, sessionId: string): Sql<BackupKeyRow | undefined> {
    const row = yield* first(
      `${KEY} WHERE backup = (${OWNED}) AND room_id = ?3 AND session_id = ?4`,
      user,
      number,
      roomId,
      sessionId,
    )
    return row && keyFrom(row)
  },
)

type Bind = <Args extends readonly unknown[], T>(query: Query<Args, T>) => (...args: Args) => Promise<T>

export function bindBackups(bind: Bind): BackupReader {
  return { version: bind(version), last: bind(last), keys: bind(keys), key: bind(key) }
}
