/** Keys of devices. https://spec.matrix.org/v1.19/client-server-api/#key-management-api */
import { jsonText } from '#/http/reply.ts'
import type { Requester } from '#/http/requester.ts'
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseUserId } from '#/protocol/ids/user-id.ts'
import { DEVICE_ID_CHARS_MAX } from '#/services/accounts/limits.ts'
import type { KeyClaims } from '#/services/keys/claims.ts'
import type { DeviceKeyService } from '#/services/keys/device-keys.ts'
import { countsAnswer } from '#/services/keys/key-counts.ts'
import { KEY_ALGORITHM_CHARS_MAX, QUERIED_DEVICES_MAX } from '#/services/keys/limits.ts'
import type { KeyQueries } from '#/services/keys/queries.ts'
import { parsePosition } from '#/services/rooms/read/tokens.ts'
import type { DeviceLists } from '#/services/sync/device-lists.ts'
import type { Feed } from '#/services/sync/feed.ts'

export interface DeviceKeyDeps {
  readonly deviceKeys: DeviceKeyService
  readonly queries: KeyQueries
  readonly claims: KeyClaims
  readonly lists: DeviceLists
  readonly feed: Feed
  readonly epoch: number
}

/** Characters of a token. */
const TOKEN_CHARS_MAX = 100

const objectOf = t.opt(t.nullable(t.json))

/** The device whose keys a request is about. Throws M_FORBIDDEN for a token without one. */
export function deviceOf(who: Requester): string {
  if (who.deviceId !== undefined) return who.deviceId
  throw new MatrixError('M_FORBIDDEN', 'This access token has no device, so it can have no keys.')
}

/** Ids that cannot be anybody's are left out as unknown ones are. */
function isName(text: string): boolean {
  return text.length <= DEVICE_ID_CHARS_MAX && !text.includes('\0')
}

/** The position of a token of this or an earlier life of the database; after a restore everything is news. */
function positionOf(token: string, name: string, epoch: number): number {
  const place = parsePosition(token)
  if (place === undefined) throw new MatrixError('M_INVALID_PARAM', `'${name}' is not a token of a sync.`)
  return place.epoch === epoch ? place.position : 0
}

export const deviceKeyRoutes = (d: DeviceKeyDeps): Route[] => [
  route({
    method: 'POST',
    path: '/_matrix/client/v3/keys/upload',
    also: ['/_matrix/client/r0/keys/upload'],
    spec: 'client-server-api/#post_matrixclientv3keysupload',
    operations: ['uploadKeys'],
    auth: 'guest',
    limit: 'none',
    servlet: 'KeyUploadServlet',
    strictJson: true,
    body: t.object({ device_keys: objectOf, one_time_keys: objectOf, fallback_keys: objectOf }),
    async handle({ who, body }) {
      const counts = await d.deviceKeys.upload(who.userId, deviceOf(who), {
        deviceKeys: body.device_keys ?? undefined,
        oneTimeKeys: body.one_time_keys ?? {},
        fallbackKeys: body.fallback_keys ?? {},
      })
      return { one_time_key_counts: countsAnswer(counts) }
    },
  }),
  route({
    method: 'POST',
    path: '/_matrix/client/v3/keys/query',
    also: ['/_matrix/client/r0/keys/query'],
    spec: 'client-server-api/#post_matrixclientv3keysquery',
    operations: ['queryKeys'],
    auth: 'guest',
    limit: 'none',
    servlet: 'KeyQueryServlet',
    body: t.object({
      device_keys: t.record(t.array(t.text(DEVICE_ID_CHARS_MAX), QUERIED_DEVICES_MAX)),
      timeout: t.opt(t.nullable(t.int())),
    }),
    async handle({ who, body }) {
      const users = Object.entries(body.device_keys).filter(([user]) => parseUserId(user) !== undefined)
      const found = await d.queries.query(who.userId, new Map(users))
      return jsonText([
        '{"failures":{},"device_keys":',
        ...found.deviceKeys,
        ',"master_keys":',
        ...found.masterKeys,
        ',"self_signing_keys":',
        ...found.selfSigningKeys,
        ',"user_signing_keys":',
        ...found.userSigningKeys,
        '}',
      ])
    },
  }),
  route({
    method: 'POST',
    path: '/_matrix/client/v3/keys/claim',
    also: ['/_matrix/client/r0/keys/claim'],
    spec: 'client-server-api/#post_matrixclientv3keysclaim',
    operations: ['claimKeys'],
    auth: 'guest',
    limit: 'none',
    servlet: 'OneTimeKeyServlet',
    body: t.object({
      one_time_keys: t.record(t.record(t.text(KEY_ALGORITHM_CHARS_MAX))),
      timeout: t.opt(t.nullable(t.int())),
    }),
    async handle({ body }) {
      const wishes = Object.entries(body.one_time_keys).flatMap(([user, devices]) =>
        Object.entries(devices).map(([device, algorithm]) => ({ user, device, algorithm })),
      )
      const possible = wishes.filter(
        ({ user, device, algorithm }) =>
          parseUserId(user) !== undefined && isName(device) && isName(algorithm),
      )
      return jsonText(`{"failures":{},"one_time_keys":${await d.claims.claim(possible)}}`)
    },
  }),
  route({
    method: 'GET',
    path: '/_matrix/client/v3/keys/changes',
    also: ['/_matrix/client/r0/keys/changes'],
    spec: 'client-server-api/#get_matrixclientv3keyschanges',
    operations: ['getKeysChanges'],
    auth: 'user',
    limit: 'none',
    servlet: 'KeyChangesServlet',
    query: t.object({ from: t.text(TOKEN_CHARS_MAX), to: t.text(TOKEN_CHARS_MAX) }),
    async handle({ who, query }) {
      const from = positionOf(query.from, 'from', d.epoch)
      positionOf(query.to, 'to', d.epoch)
      /* "to" bounds what the client asks about, not what is true: what changed since is told as well. */
      const user = await d.feed.user(who.userId)
      user.busy++
      try {
        return await d.lists.between(user, from, d.feed.position)
      } finally {
        user.busy--
      }
    },
  }),
]
