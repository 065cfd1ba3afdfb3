/** What syncing and sending ask beyond an account: a place among the active users, and agreement to the policy. */
import type { Requester } from '#/http/requester.ts'
import type { Call, Route } from '#/http/route.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import { isLeaving } from '#/services/rooms/own-content.ts'

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

/** The routes, those that say what `use` they are guarded where there is something to ask. */
export function guardRoutes(routes: readonly Route[], guards: UsageGuards): Route[] {
  const { admit, agreed, onSync } = guards
  if (admit === undefined && agreed === undefined && onSync === undefined) return [...routes]
  return routes.map((route) => {
    const { use } = route
    if (use === undefined) return route
    const handle = route.handle as (call: AnyCall) => ReturnType<Route['handle']>
    const guarded = async (call: AnyCall) => {
      const { userId, isGuest } = call.who
      await admit?.(userId, isGuest)
      if (use === 'sync') await onSync?.(userId, isGuest)
      else if (agreed && !(await isExempt(guards, use, call))) await agreed(userId)
      return handle(call)
    }
    return { ...route, handle: guarded as unknown as Route['handle'] }
  })
}

/** Leaving is always possible, and so is joining the room in which one is asked to agree. */
async function isExempt(guards: UsageGuards, use: 'event' | 'join', call: AnyCall): Promise<boolean> {
  const { who, params, body } = call
  const { roomId = '', roomIdOrAlias = '', eventType = '', stateKey = '' } = params
  const notices = (room: string): Promise<boolean> => guards.isNoticesRoom(room, who.userId)
  if (use === 'join') return notices(roomId || roomIdOrAlias)
  const membership = body?.['membership']
  if (isLeaving(who.userId, eventType, stateKey, membership)) return true
  const joins = eventType === 'm.room.member' && stateKey === who.userId && membership === 'join'
  return joins && notices(roomId)
}
