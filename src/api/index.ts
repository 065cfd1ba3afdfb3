/** The whole route table. */
import type { Route } from '#/http/route.ts'
import { type AliasRouteDeps, aliasRoutes } from './client/directory/aliases.ts'
import { type PublishedRouteDeps, publishedRoutes } from './client/directory/published.ts'
import { type SpaceRouteDeps, spaceRoutes } from './client/directory/spaces.ts'
import { type EphemeralRouteDeps, ephemeralRoutes } from './client/ephemeral/routes.ts'
import { type NotificationDeps, notificationRoutes } from './client/push/notifications.ts'
import { type PushRuleDeps, pushRuleRoutes } from './client/push/push-rules.ts'
import { type CreationDeps, creationRoutes } from './client/rooms/creation.ts'
import { type KnockingDeps, knockingRoutes } from './client/rooms/knocking.ts'
import { type MembershipDeps, membershipRoutes } from './client/rooms/membership.ts'
import { type ReadingDeps, readingRoutes } from './client/rooms/reading.ts'
import { type SendingDeps, sendingRoutes } from './client/rooms/sending.ts'
import { type UpgradingDeps, upgradingRoutes } from './client/rooms/upgrading.ts'
import { type SyncRouteDeps, syncRoutes } from './client/sync/sync.ts'

export type RoomRouteDeps = AliasRouteDeps &
  CreationDeps &
  EphemeralRouteDeps &
  KnockingDeps &
  MembershipDeps &
  PublishedRouteDeps &
  ReadingDeps &
  SendingDeps &
  SpaceRouteDeps &
  SyncRouteDeps &
  UpgradingDeps

/** Routes of rooms and sync; those of accounts come from `createAccounts`. */
export function roomRoutes(deps: RoomRouteDeps): Route[] {
  return [
    ...creationRoutes(deps),
    ...membershipRoutes(deps),
    ...sendingRoutes(deps),
    ...readingRoutes(deps),
    ...syncRoutes(deps),
    ...ephemeralRoutes(deps),
    ...aliasRoutes(deps),
    ...publishedRoutes(deps),
    ...knockingRoutes(deps),
    ...spaceRoutes(deps),
    ...upgradingRoutes(deps),
  ]
}

/** Routes of push rules, notifications and pushers. */
export function pushRoutes(deps: NotificationDeps & PushRuleDeps): Route[] {
  return [...pushRuleRoutes(deps), ...notificationRoutes(deps)]
}
