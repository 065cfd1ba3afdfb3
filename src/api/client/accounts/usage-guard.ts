/** What syncing and sending ask beyond an account: a place among the active users, and agreement to the policy. */
import type { Requester } from '#/http/requester.ts'
import type { Call, Route } from '#/http/route.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { JsonObject } from '#/protocol/json/value.ts'

const C3 = '/_matrix/client/v3'
const ROOM = `${C3}/rooms/:roomId`

const SYNCS = [
  `GET ${C3}/sync`,
  'POST /_matrix/client/v4/sync',
  'POST /_matrix/client/unstable/org.matrix.simplified_msc3575/sync',
]

const SENDS = [
  `POST ${C3}/createRoom`,
  `POST ${C3}/join/:roomIdOrAlias`,
  `POST ${C3}/knock/:roomIdOrAlias`,
  `POST ${ROOM}/join`,
  `POST ${ROOM}/invite`,
  `POST ${ROOM}/kick`,
  `POST ${ROOM}/ban`,
  `POST ${ROOM}/unban`,
  `POST ${ROOM}/upgrade`,
  `PUT ${ROOM}/send/:eventType/:txnId`,
  `PUT ${ROOM}/redact/:eventId/:txnId`,
  `PUT ${ROOM}/state/:eventType`,
  `PUT ${ROOM}/state/:eventType/:stateKey`,
]

/** For a test that the tables name routes that exist. */
export const GUARDED_ROUTES: readonly string[] = [...SYNCS, ...SENDS]

export interface UsageGuards {
  /** Called before a sync or an event of somebody. */
  readonly admit: ((userId: UserId, isGuest: boolean) => void | Promise<void>) | undefined
  /** Called before an event of somebody, who neither leaves a room nor joins the one of notices. */
  readonly agreed: ((userId: UserId) => Promise<void>) | undefined
  /** Whether a room is the one in which the server speaks to a user. */
  readonly isNoticesRoom: (roomId: string, userId: UserId) => Promise<boolean>
  /** Called after somebody was admitted to a sync. */
  readonly onSync?: ((userId: UserId, isGuest: boolean) => Promise<void>) | undefined
}

type AnyCall = Call<
  Requester,
  {
    readonly roomId?: string
    readonly roomIdOrAlias?: string
    readonly eventType?: string
    readonly stateKey?: string
  },
  unknown,
  JsonObject | undefined
>

/** The routes, those of syncing and sending guarded where there is something to ask. */
export function guardRoutes(routes: readonly Route[], guards: UsageGuards): Route[] {
  const { admit, agreed, onSync } = guards
  if (admit === undefined && agreed === undefined && onSync === undefined) return [...routes]
  return routes.map((route) => {
    const name = `${route.method} ${route.path}`
    const sends = SENDS.includes(name)
    if (!sends && !SYNCS.includes(name)) return route
    const handle = route.handle as (call: AnyCall) => ReturnType<Route['handle']>
    const guarded = async (call: AnyCall) => {
      const { userId, isGuest } = call.who
      await admit?.(userId, isGuest)
      if (sends && agreed && !(await isExempt(guards, name, call))) await agreed(userId)
      if (!sends) await onSync?.(userId, isGuest)
      return handle(call)
    }
    return { ...route, handle: guarded as unknown as Route['handle'] }
  })
}

/** Leaving is always possible, and so is joining the room in which one is asked to agree. */
async function isExempt(guards: UsageGuards, name: string, call: AnyCall): Promise<boolean> {
  const { who, params, body } = call
  const notices = (roomId: string): Promise<boolean> => guards.isNoticesRoom(roomId, who.userId)
  if (name.includes('/join')) return notices(params.roomId ?? params.roomIdOrAlias ?? '')
  if (params.eventType !== 'm.room.member' || params.stateKey !== who.userId) return false
  const membership = body?.['membership']
  if (membership === 'leave') return true
  return membership === 'join' && notices(params.roomId ?? '')
}
