/** Backups of room keys. https://spec.matrix.org/v1.19/client-server-api/#server-side-key-backups */
import type { Clock } from '#/base/world.ts'
import { jsonText, type Reply } from '#/http/reply.ts'
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { Walk } from '#/protocol/json/members.ts'
import { isObject, type JsonObject, type JsonValue, member, setMember } from '#/protocol/json/value.ts'
import { backedUpKeyText } from '#/protocol/keys/backup-key.ts'
import type { BackupKeyRow, BackupService, BackupState, BackupVersionRow } from '#/services/e2ee/backup.ts'
import {
  BACKUP_AUTH_BYTES_MAX,
  BACKUP_BODY_BYTES_MAX,
  BACKUP_KEY_BYTES_MAX,
  BACKUP_NAME_CHARS_MAX,
} from '#/services/e2ee/limits.ts'
import { keysJson } from './backup-json.ts'
import { readMembers } from './slices.ts'

export interface BackupRouteDeps {
  readonly backups: BackupService
  readonly clock: Clock
}

const KEYS = {
  auth: 'user',
  limit: 'none',
  servlet: 'RoomKeysServlet',
  query: t.object({ version: t.text() }),
} as const
const VERSIONS = { auth: 'user', limit: 'none' } as const
/** A NUL is refused by one engine and cut off by others. */
const isName = (text: string): boolean => text.length <= BACKUP_NAME_CHARS_MAX && !text.includes('\0')
const name = (text: string): string | undefined => (isName(text) ? text : undefined)

const VERSION_BODY = t.object({
  algorithm: t.text(BACKUP_NAME_CHARS_MAX),
  auth_data: t.json,
  version: t.opt(t.text()),
})

/** `path` of the older names, which clients still use. */
function aliases(path: string): string[] {
  return [`/_matrix/client/r0${path}`, `/_matrix/client/unstable${path}`]
}

function authDataJson(data: JsonObject): string {
  const text = JSON.stringify(data)
  if (Buffer.byteLength(text) > BACKUP_AUTH_BYTES_MAX) {
    throw new MatrixError('M_TOO_LARGE', 'The data of the backup are too large.')
  }
  return text
}

function versionAnswer(row: BackupVersionRow): object {
  return {
    version: String(row.version),
    algorithm: row.algorithm,
    auth_data: JSON.parse(row.authData) as object,
    count: row.count,
    etag: String(row.etag),
  }
}

const stateAnswer = ({ count, etag }: BackupState): object => ({ count, etag: String(etag) })

function keyFrom(roomId: string, sessionId: string, value: JsonValue): BackupKeyRow {
  if (!isObject(value)) throw new MatrixError('M_BAD_JSON', 'A room key must be an object.')
  const index = member(value, 'first_message_index')
  const forwarded = member(value, 'forwarded_count')
  const verified = member(value, 'is_verified')
  const data = member(value, 'session_data')
  if ([index, forwarded, verified, data].includes(undefined)) {
    throw new MatrixError('M_MISSING_PARAM', 'A room key lacks some of its members.')
  }
  const counts = typeof index === 'number' && index >= 0 && typeof forwarded === 'number' && forwarded >= 0
  /* Old clients made a text of it. */
  if (!counts || typeof verified !== 'boolean' || !(isObject(data) || typeof data === 'string')) {
    throw new MatrixError('M_BAD_JSON', 'A member of a room key is not of its type.')
  }
  if (!isName(roomId) || !isName(sessionId)) {
    throw new MatrixError('M_INVALID_PARAM', 'The name of a room or session is too long, or holds a NUL.')
  }
  return { roomId, sessionId, firstIndex: index, forwarded, verified, data: JSON.stringify(data) }
}

/** The keys of an upload: of all rooms, of one (`scope.roomId`), or a single one. */
async function keysOf(
  clock: Clock,
  bytes: Uint8Array,
  scope: { readonly roomId?: string; readonly sessionId?: string },
): Promise<BackupKeyRow[]> {
  const { roomId, sessionId } = scope
  const lead = roomId === undefined ? [] : ['rooms', roomId]
  if (sessionId !== undefined && roomId !== undefined) {
    const members: Record<string, JsonValue> = {}
    const walk: Walk = () => 'give'
    const each = ([key = '']: readonly string[], value: JsonValue) => setMember(members, key, value)
    await readMembers(clock, bytes, { walk, valueBytesMax: BACKUP_KEY_BYTES_MAX }, each)
    return [keyFrom(roomId, sessionId, members)]
  }
  const keys: BackupKeyRow[] = []
  /* Objects `rooms`, rooms, and objects `sessions` that were met. */
  let [tables, rooms, lists] = [lead.length > 0 ? 1 : 0, lead.length > 0 ? 1 : 0, 0]
  const walk: Walk = (rest) => {
    const path = [...lead, ...rest]
    if (path.length === 1 && path[0] !== 'rooms') return 'skip'
    if (path.length === 3 && path[2] !== 'sessions') return 'skip'
    if (path.length === 1) tables++
    else if (path.length === 2) rooms++
    else if (path.length === 3) lists++
    return path.length < 4 ? 'enter' : 'give'
  }
  await readMembers(clock, bytes, { walk, valueBytesMax: BACKUP_KEY_BYTES_MAX }, (rest, value) => {
    const [, room = '', , session = ''] = [...lead, ...rest]
    keys.push(keyFrom(room, session, value))
  })
  if (tables === 0) throw new MatrixError('M_MISSING_PARAM', 'The body lacks rooms.')
  if (lists < rooms) throw new MatrixError('M_MISSING_PARAM', 'The keys of a room lack sessions.')
  return keys
}

const versionRoutes = ({ backups }: BackupRouteDeps): Route[] => [
  route({
    ...VERSIONS,
    method: 'POST',
    path: '/_matrix/client/v3/room_keys/version',
    also: aliases('/room_keys/version'),
    spec: 'client-server-api/#post_matrixclientv3room_keysversion',
    operations: ['postRoomKeysVersion'],
    servlet: 'RoomKeysNewVersionServlet',
    body: VERSION_BODY,
    strictJson: true,
    async handle({ who, body }) {
      if (!isName(body.algorithm)) throw new MatrixError('M_INVALID_PARAM', 'There is no such algorithm.')
      return { version: await backups.create(who.userId, body.algorithm, authDataJson(body.auth_data)) }
    },
  }),
  route({
    ...VERSIONS,
    method: 'GET',
    path: '/_matrix/client/v3/room_keys/version',
    also: aliases('/room_keys/version'),
    spec: 'client-server-api/#get_matrixclientv3room_keysversion',
    operations: ['getRoomKeysVersionCurrent'],
    servlet: 'RoomKeysNewVersionServlet',
    handle: async ({ who }) => versionAnswer(await backups.version(who.userId)),
  }),
  route({
    ...VERSIONS,
    method: 'GET',
    path: '/_matrix/client/v3/room_keys/version/:version',
    also: aliases('/room_keys/version/:version'),
    spec: 'client-server-api/#get_matrixclientv3room_keysversionversion',
    operations: ['getRoomKeysVersion'],
    servlet: 'RoomKeysVersionServlet',
    handle: async ({ who, params }) => versionAnswer(await backups.version(who.userId, params.version)),
  }),
  route({
    ...VERSIONS,
    method: 'PUT',
    path: '/_matrix/client/v3/room_keys/version/:version',
    also: aliases('/room_keys/version/:version'),
    spec: 'client-server-api/#put_matrixclientv3room_keysversionversion',
    operations: ['putRoomKeysVersion'],
    servlet: 'RoomKeysVersionServlet',
    body: VERSION_BODY,
    strictJson: true,
    async handle({ who, params, body }) {
      if (body.version !== undefined && body.version !== params.version) {
        throw new MatrixError('M_INVALID_PARAM', 'The versions in the path and in the body differ.')
      }
      await backups.update(who.userId, params.version, body.algorithm, authDataJson(body.auth_data))
      return {}
    },
  }),
  route({
    ...VERSIONS,
    method: 'DELETE',
    path: '/_matrix/client/v3/room_keys/version/:version',
    also: aliases('/room_keys/version/:version'),
    spec: 'client-server-api/#delete_matrixclientv3room_keysversionversion',
    operations: ['deleteRoomKeysVersion'],
    servlet: 'RoomKeysVersionServlet',
    async handle({ who, params }) {
      await backups.delete(who.userId, params.version)
      return {}
    },
  }),
]

const SCOPES = [
  { path: '/room_keys/keys', anchor: 'room_keyskeys', suffix: 's', params: {} },
  {
    path: '/room_keys/keys/:roomId',
    anchor: 'room_keyskeysroomid',
    suffix: 'sByRoomId',
    params: { roomId: name },
  },
  {
    path: '/room_keys/keys/:roomId/:sessionId',
    anchor: 'room_keyskeysroomidsessionid',
    suffix: 'BySessionId',
    params: { roomId: name, sessionId: name },
  },
] as const

/** The three operations on all keys, those of a room, and a single one. */
function keyRoutes({ backups, clock }: BackupRouteDeps, scope: (typeof SCOPES)[number]): Route[] {
  const common = {
    ...KEYS,
    path: `/_matrix/client/v3${scope.path}`,
    also: aliases(scope.path),
    params: scope.params,
  } as const
  const of = (params: object): { readonly roomId?: string; readonly sessionId?: string } => params
  const spec = (method: string) => `client-server-api/#${method}_matrixclientv3${scope.anchor}`
  return [
    route({
      ...common,
      method: 'PUT',
      spec: spec('put'),
      operations: [`putRoomKey${scope.suffix}`],
      body: 'bytes',
      bodyBytesMax: BACKUP_BODY_BYTES_MAX,
      async handle({ who, params, query, body }) {
        const keys = await keysOf(clock, body, of(params))
        return stateAnswer(await backups.put(who.userId, query.version, keys))
      },
    }),
    route({
      ...common,
      method: 'GET',
      spec: spec('get'),
      operations: [`getRoomKey${scope.suffix}`],
      async handle({ who, params, query }): Promise<Reply> {
        const { roomId, sessionId } = of(params)
        if (roomId !== undefined && sessionId !== undefined) {
          return jsonText(backedUpKeyText(await backups.key(who.userId, query.version, roomId, sessionId)))
        }
        return jsonText(keysJson(await backups.keys(who.userId, query.version, roomId ?? null), roomId))
      },
    }),
    route({
      ...common,
      method: 'DELETE',
      spec: spec('delete'),
      operations: [`deleteRoomKey${scope.suffix}`],
      async handle({ who, params, query }) {
        return stateAnswer(await backups.drop(who.userId, query.version, of(params)))
      },
    }),
  ]
}

export const backupRoutes = (d: BackupRouteDeps): Route[] => [
  ...versionRoutes(d),
  ...SCOPES.flatMap((scope) => keyRoutes(d, scope)),
]
