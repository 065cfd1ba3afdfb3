/** Builds what concerns people besides their accounts: directory, devices, moderation, invites, calls. */
import type { Accounts } from '#/api/client/accounts/create-accounts.ts'
import { administrationRoutes } from '#/api/client/people/administration.ts'
import { applicationServiceRoutes } from '#/api/client/people/application-services.ts'
import { callRoutes } from '#/api/client/people/calls.ts'
import { deviceRoutes } from '#/api/client/people/devices.ts'
import { peopleDirectoryRoutes } from '#/api/client/people/directory.ts'
import { openidRoutes } from '#/api/client/people/openid.ts'
import { tagRoutes } from '#/api/client/people/tags.ts'
import { thirdPartyNetworkRoutes } from '#/api/client/people/third-party-networks.ts'
import { openidUserinfoRoutes } from '#/api/federation/openid.ts'
import type { World } from '#/base/world.ts'
import type { Route } from '#/http/route.ts'
import type { Store } from '#/ports/store/store.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import { DeviceService } from '#/services/accounts/devices.ts'
import {
  type DirectoryOptions,
  ensureDirectory,
  REBUILD_KIND,
  rebuildHandler,
  UserDirectory,
} from '#/services/accounts/directory.ts'
import type { IgnoredUsers } from '#/services/accounts/ignored-users.ts'
import { InviteGuard } from '#/services/accounts/invite-guard.ts'
import { Moderation } from '#/services/accounts/moderation.ts'
import { MutualRoomsService } from '#/services/accounts/mutual-rooms.ts'
import { OpenidTokens } from '#/services/accounts/openid.ts'
import { RoomTags } from '#/services/accounts/tags.ts'
import type { TurnOptions } from '#/services/accounts/turn.ts'
import type { JobScheduler } from '#/services/jobs/scheduler.ts'
import type { ProfileRules } from '#/services/rooms/membership.ts'
import { DIRECTORY_VERSION } from '#/storage/directory/terms.ts'

export interface PeopleOptions {
  readonly directory: DirectoryOptions
  readonly turn: TurnOptions
  /** `matrix_rtc.transports`. */
  readonly rtcTransports: readonly JsonObject[]
  /** `block_non_admin_invites`. */
  readonly onlyAdminsInvite: boolean
  /** `msc4155_enabled`: users say by whom they want to be invited. */
  readonly inviteRules: boolean
  readonly profileRules: ProfileRules
}

export interface PeopleDeps {
  readonly store: Store
  readonly world: World
  readonly serverName: ServerName
  readonly accounts: Accounts
  readonly jobs: JobScheduler
  readonly ignored: IgnoredUsers
  readonly options: PeopleOptions
}

export interface People {
  readonly routes: readonly Route[]
  readonly invites: InviteGuard
  readonly openid: OpenidTokens
}

/** Builds devices, the directory of users, tags and the like, with their routes; its jobs are named. */
export async function createPeople(deps: PeopleDeps): Promise<People> {
  const { store, world, serverName, accounts, jobs, ignored, options } = deps
  const { sessions, accountData } = accounts.services
  const devices = new DeviceService({ store, sessions })
  const openid = new OpenidTokens({ store, world })
  jobs.handle(REBUILD_KIND, rebuildHandler(store, DIRECTORY_VERSION))
  await ensureDirectory(store, world.clock, DIRECTORY_VERSION)
  return {
    invites: new InviteGuard({
      ...{ store, ignored },
      adminsOnly: options.onlyAdminsInvite,
      withRules: options.inviteRules,
    }),
    openid,
    routes: [
      ...deviceRoutes({ devices, sessions, uia: accounts.uia, reauthFlows: () => accounts.reauthFlows() }),
      ...administrationRoutes({ devices, moderation: new Moderation({ store, serverName, sessions }) }),
      ...peopleDirectoryRoutes({
        directory: new UserDirectory({ store, options: options.directory }),
        mutualRooms: new MutualRoomsService({ store }),
      }),
      ...tagRoutes({ tags: new RoomTags(accountData) }),
      ...openidRoutes({ openid, serverName }),
      ...openidUserinfoRoutes({ openid }),
      ...callRoutes({ turn: options.turn, rtcTransports: options.rtcTransports, clock: world.clock }),
      ...thirdPartyNetworkRoutes(),
      ...applicationServiceRoutes(),
    ],
  }
}
