/** The repeating job that logs out and deletes devices which nobody has used for a long time. */
import type { Log } from '#/base/log.ts'
import type { Clock } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import { STALE_DEVICES_AT_ONCE, STALE_DEVICES_MS, SWEEP_FIRST_MS } from '../jobs/limits.ts'
import type { JobHandler } from '../jobs/scheduler.ts'
import type { Sessions } from './sessions.ts'

export const STALE_DEVICES_KIND = 'stale_devices'

/** Plans the first look after a start. */
export async function ensureStaleDevices(store: Store, clock: Clock): Promise<void> {
  const dueTs = clock.now() + SWEEP_FIRST_MS
  const op = { op: 'job.put', kind: STALE_DEVICES_KIND, key: 'all', dueTs, data: '{}' } as const
  const result = await store.commit({ lane: 'jobs', ops: [op] })
  if (!result.ok) throw new Error(`the deletion of stale devices could not be planned: ${result.conflict}`)
}

export function staleDevicesHandler(deps: {
  store: Store
  clock: Clock
  log: Log
  sessions: Sessions
  /** Milliseconds without use. */
  afterMs: number
}): JobHandler {
  const { store, clock, log, sessions, afterMs } = deps
  return async () => {
    const now = clock.now()
    const stale = await store.keys.staleDevices(now - afterMs, STALE_DEVICES_AT_ONCE)
    const byUser = new Map<string, string[]>()
    for (const { user, device } of stale) {
      const devices = byUser.get(user)
      if (devices) devices.push(device)
      else byUser.set(user, [device])
    }
    for (const [user, devices] of byUser) await sessions.end(user, { devices })
    if (stale.length > 0) log.info('devices that nobody used were deleted', { devices: stale.length })
    return stale.length === STALE_DEVICES_AT_ONCE ? now : now + STALE_DEVICES_MS
  }
}
