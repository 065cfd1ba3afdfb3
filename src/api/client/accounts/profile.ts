/** Profiles. https://spec.matrix.org/v1.16/client-server-api/#profiles */
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseUserId } from '#/protocol/ids/user-id.ts'
import { member } from '#/protocol/json/value.ts'
import { PROFILE_BYTES_MAX } from '#/services/accounts/limits.ts'
import type { ProfileService } from '#/services/accounts/profile.ts'
import { requireSelf } from './shared.ts'

export interface ProfileDeps {
  readonly profile: ProfileService
}

const FIELD = {
  path: '/_matrix/client/v3/profile/:userId/:keyName',
  also: [
    '/_matrix/client/r0/profile/:userId/:keyName',
    '/_matrix/client/unstable/uk.tcpip.msc4133/profile/:userId/:keyName',
  ],
  limit: 'none',
  servlet: 'ProfileFieldRestServlet',
  params: { userId: parseUserId },
} as const

export const profileRoutes = (d: ProfileDeps): Route[] => [
  route({
    method: 'GET',
    path: '/_matrix/client/v3/profile/:userId',
    also: ['/_matrix/client/r0/profile/:userId', '/_matrix/client/unstable/uk.tcpip.msc4133/profile/:userId'],
    spec: 'client-server-api/#get_matrixclientv3profileuserid',
    operations: ['getUserProfile'],
    auth: 'optional',
    limit: 'none',
    servlet: 'ProfileRestServlet',
    params: { userId: parseUserId },
    async handle({ who, params }) {
      await d.profile.refuseStranger(who?.userId, params.userId)
      return d.profile.all(params.userId)
    },
  }),
  route({
    ...FIELD,
    method: 'GET',
    spec: 'client-server-api/#get_matrixclientv3profileuseridkeyname',
    operations: ['getProfileField'],
    auth: 'optional',
    async handle({ who, params }) {
      await d.profile.refuseStranger(who?.userId, params.userId)
      return d.profile.one(params.userId, params.keyName)
    },
  }),
  route({
    ...FIELD,
    method: 'PUT',
    spec: 'client-server-api/#put_matrixclientv3profileuseridkeyname',
    operations: ['setProfileField'],
    auth: 'user',
    /* Room for escapes; the profile itself is measured as it is stored. */
    bodyBytesMax: 2 * PROFILE_BYTES_MAX,
    body: t.json,
    strictJson: true,
    async handle({ who, params, body }) {
      const { userId, keyName } = params
      if (!who.isAdmin) requireSelf(who, userId)
      const value = member(body, keyName)
      if (value === undefined) {
        throw new MatrixError('M_MISSING_PARAM', `The body lacks ${keyName.slice(0, 255)}.`)
      }
      if (who.userId !== userId) await d.profile.all(userId)
      await d.profile.set(userId, keyName, value, who.isAdmin)
      return {}
    },
  }),
  route({
    ...FIELD,
    method: 'DELETE',
    spec: 'client-server-api/#delete_matrixclientv3profileuseridkeyname',
    operations: ['deleteProfileField'],
    auth: 'user',
    async handle({ who, params }) {
      const { userId, keyName } = params
      if (!who.isAdmin) requireSelf(who, userId)
      if (who.userId !== userId) await d.profile.all(userId)
      await d.profile.set(userId, keyName, undefined, who.isAdmin)
      return {}
    },
  }),
]
