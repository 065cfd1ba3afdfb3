/** Builds messages to devices, key backup and dehydrated devices, with their routes. */
import { backupRoutes } from '#/api/client/e2ee/backup.ts'
import { dehydratedRoutes } from '#/api/client/e2ee/dehydrated.ts'
import { toDeviceRoutes } from '#/api/client/e2ee/to-device.ts'
import { KeyedLock } from '#/base/async/keyed-lock.ts'
import type { Log } from '#/base/log.ts'
import type { RateLimits } from '#/base/rate-limit.ts'
import type { Clock } from '#/base/world.ts'
import type { LimitName } from '#/http/limit-names.ts'
import type { Route } from '#/http/route.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import type { ServerName } from '#/protocol/ids/server-name.ts'
import { BackupService } from '#/services/e2ee/backup.ts'
import { type DehydratedDeps, DehydratedDevices } from '#/services/e2ee/dehydrated.ts'
import { ToDeviceService } from '#/services/e2ee/to-device.ts'
import { Given } from '#/services/sync/given.ts'
import { Inboxes } from '#/services/sync/inboxes.ts'

export interface E2eeDeps {
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  readonly serverName: ServerName
  readonly limits: RateLimits<LimitName>
  /** What dehydrated devices need; absent where there are none. */
  readonly dehydrating: Pick<DehydratedDeps, 'upload' | 'end'> | undefined
}

export interface E2eeParts {
  readonly toDevice: ToDeviceService
  readonly inboxes: Inboxes
  readonly routes: readonly Route[]
  close(): void
}

export function createE2ee(deps: E2eeDeps): E2eeParts {
  const { store, clock, limits } = deps
  const given = new Given(store.position())
  const toDevice = new ToDeviceService({ ...deps, given })
  const backups = new BackupService({ store })
  const inboxes = new Inboxes({ ...deps, given })
  const { dehydrating } = deps
  const users = new KeyedLock()
  const dehydrated = dehydrating && new DehydratedDevices({ store, clock, users, given, ...dehydrating })
  return {
    toDevice,
    inboxes,
    routes: [
      ...toDeviceRoutes({ toDevice, clock, limits }),
      ...backupRoutes({ backups, clock }),
      ...(dehydrated ? dehydratedRoutes({ dehydrated }) : []),
    ],
    close: () => inboxes.close(),
  }
}

/** What goes with a deactivated account, besides its devices and their messages. */
export function e2eeDeactivationOps(userId: string): Op[] {
  return [{ op: 'backup.clear', user: userId }]
}
