/** Profiles. https://spec.matrix.org/v1.16/client-server-api/#profiles */
import type { RateLimits } from '#/base/rate-limit.ts'
import type { LimitName } from '#/http/limit-names.ts'
import type { Requester } from '#/http/requester.ts'
import { type Route, route } from '#/http/route.ts'
import { type Static, t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseUserId } from '#/protocol/ids/user-id.ts'
import { member } from '#/protocol/json/value.ts'
import { PROFILE_BYTES_MAX } from '#/services/accounts/limits.ts'
import { isMemberField, type ProfileService, type PropagateTo } from '#/services/accounts/profile.ts'
import { count } from '../../rate.ts'
import { requireSelf } from './shared.ts'

export interface ProfileDeps {
  readonly limits: RateLimits<LimitName>
  readonly profile: ProfileService
  /** `msc4069_profile_inhibit_propagation` */
  readonly inhibitsPropagation: boolean
}

const FIELD = {
  path: '/_matrix/client/v3/profile/:userId/:keyName',
  also: [
    '/_matrix/client/r0/profile/:userId/:keyName',
    '/_matrix/client/unstable/uk.tcpip.msc4133/profile/:userId/:keyName',
  ],
  servlet: 'ProfileFieldRestServlet',
  params: { userId: parseUserId },
} as const

/** "Guest users may only modify their display name". */
function refuseGuest(who: Requester, keyName: string): void {
  if (who.isGuest && keyName !== 'displayname') {
    throw new MatrixError('M_GUEST_ACCESS_FORBIDDEN', 'Guests may change their display name only.')
  }
}

/** A name or an avatar goes into the member event of every room, so it counts as a message. */
function countChange({ limits }: ProfileDeps, who: Requester, keyName: string): void {
  if (isMemberField(keyName)) count(limits, who, 'rc_message', who.userId)
}

const UNSTABLE = 'computer.gingershaped.msc4466.propagate_to'
const OLDER = 'org.matrix.msc4069.propagate'

/** MSC4466, stable and unstable, and the older MSC4069. They are looked at for the two fields alone. */
const PROPAGATION = t.object({
  propagate_to: t.opt(t.text(16)),
  [UNSTABLE]: t.opt(t.text(16)),
  [OLDER]: t.opt(t.text(16)),
})

function propagateTo(query: Static<typeof PROPAGATION>, keyName: string, older: boolean): PropagateTo {
  if (!isMemberField(keyName)) return 'all'
  const wanted = query.propagate_to ?? query[UNSTABLE]
  if (wanted === undefined) return older && query[OLDER] === 'false' ? 'none' : 'all'
  if (wanted === 'all' || wanted === 'unchanged' || wanted === 'none') return wanted
  throw new MatrixError('M_INVALID_PARAM', 'propagate_to is all, unchanged or none.')
}

export const profileRoutes = (d: ProfileDeps): Route[] => [
  route({
    method: 'GET',
    path: '/_matrix/client/v3/profile/:userId',
    also: ['/_matrix/client/r0/profile/:userId', '/_matrix/client/unstable/uk.tcpip.msc4133/profile/:userId'],
    spec: 'client-server-api/#get_matrixclientv3profileuserid',
    operations: ['getUserProfile'],
    auth: 'optional',
    limit: 'rc_profile',
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
    limit: 'rc_profile',
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
    auth: 'guest',
    limit: 'service',
    query: PROPAGATION,
    /* Room for escapes; the profile itself is measured as it is stored. */
    bodyBytesMax: 2 * PROFILE_BYTES_MAX,
    body: t.json,
    strictJson: true,
    async handle({ who, params, body, query }) {
      const { userId, keyName } = params
      if (!who.isAdmin) requireSelf(who, userId)
      refuseGuest(who, keyName)
      countChange(d, who, keyName)
      const value = member(body, keyName)
      if (value === undefined) {
        throw new MatrixError('M_MISSING_PARAM', `The body lacks ${keyName.slice(0, 255)}.`)
      }
      if (who.userId !== userId) await d.profile.all(userId)
      await d.profile.set(userId, keyName, value, {
        byAdmin: who.isAdmin,
        propagateTo: propagateTo(query, keyName, d.inhibitsPropagation),
      })
      return {}
    },
  }),
  route({
    ...FIELD,
    method: 'DELETE',
    spec: 'client-server-api/#delete_matrixclientv3profileuseridkeyname',
    operations: ['deleteProfileField'],
    auth: 'guest',
    limit: 'service',
    query: PROPAGATION,
    async handle({ who, params, query }) {
      const { userId, keyName } = params
      if (!who.isAdmin) requireSelf(who, userId)
      refuseGuest(who, keyName)
      countChange(d, who, keyName)
      if (who.userId !== userId) await d.profile.all(userId)
      await d.profile.set(userId, keyName, undefined, {
        byAdmin: who.isAdmin,
        propagateTo: propagateTo(query, keyName, d.inhibitsPropagation),
      })
      return {}
    },
  }),
]
