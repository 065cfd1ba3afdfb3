/** Builds what concerns keys: their endpoints, what sync says of them, and the deletion of devices nobody uses. */
import type { Accounts } from '#/api/client/accounts/create-accounts.ts'
import { crossSigningRoutes } from '#/api/client/keys/cross-signing.ts'
import { deviceKeyRoutes } from '#/api/client/keys/device-keys.ts'
import { KeyedLock } from '#/base/async/keyed-lock.ts'
import type { Log } from '#/base/log.ts'
import type { Clock } from '#/base/world.ts'
import type { Route } from '#/http/route.ts'
import type { Store } from '#/ports/store/store.ts'
import {
  ensureStaleDevices,
  STALE_DEVICES_KIND,
  staleDevicesHandler,
} from '#/services/accounts/stale-devices.ts'
import type { JobScheduler } from '#/services/jobs/scheduler.ts'
import { KeyClaims } from '#/services/keys/claims.ts'
import { CrossSigningService } from '#/services/keys/cross-signing.ts'
import { DeviceKeyService } from '#/services/keys/device-keys.ts'
import { KeyCountCache } from '#/services/keys/key-counts.ts'
import { KeyQueries } from '#/services/keys/queries.ts'
import { ReadyKeys } from '#/services/keys/ready-keys.ts'
import { SignatureService } from '#/services/keys/signatures.ts'
import { DeviceLists } from '#/services/sync/device-lists.ts'
import { E2eeSync } from '#/services/sync/e2ee.ts'
import type { Feed } from '#/services/sync/feed.ts'

export interface Keys {
  readonly routes: readonly Route[]
  readonly e2ee: E2eeSync
  readonly deviceKeys: DeviceKeyService
  close(): void
}

/** Builds what keeps the keys of devices and users, with its routes; its jobs are named. */
export async function createKeys(deps: {
  store: Store
  clock: Clock
  log: Log
  feed: Feed
  jobs: JobScheduler
  accounts: Accounts
  /** `delete_stale_devices_after`, milliseconds; undefined never. */
  staleDevicesMs: number | undefined
}): Promise<Keys> {
  const { store, clock, log, feed, jobs, accounts, staleDevicesMs } = deps
  const users = new KeyedLock()
  const counts = new KeyCountCache(store)
  const ready = new ReadyKeys(store)
  const deviceKeys = new DeviceKeyService({ store, users })
  const lists = new DeviceLists({ store, clock })
  if (staleDevicesMs !== undefined) {
    const { sessions } = accounts.services
    jobs.handle(
      STALE_DEVICES_KIND,
      staleDevicesHandler({ store, clock, log, sessions, afterMs: staleDevicesMs }),
    )
    await ensureStaleDevices(store, clock)
  }
  return {
    routes: [
      ...deviceKeyRoutes({
        deviceKeys,
        queries: new KeyQueries({ store, clock, ready }),
        claims: new KeyClaims({ store }),
        lists,
        feed,
        epoch: store.epoch,
      }),
      ...crossSigningRoutes({
        crossSigning: new CrossSigningService({ store, users }),
        signatures: new SignatureService({ store, clock, users }),
        uia: accounts.uia,
        resetFlows: () => accounts.reauthFlows(),
      }),
    ],
    e2ee: new E2eeSync({ lists, counts }),
    deviceKeys,
    close() {
      counts.close()
      ready.close()
    },
  }
}
