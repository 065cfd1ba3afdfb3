/** The repeating job that deletes rows whose time is over: transaction ids, sessions, tokens, redacted originals. */
import type { Clock } from '#/base/world.ts'
import type { Store } from '#/ports/store/store.ts'
import { SWEEP_FIRST_MS, SWEEP_MS, SWEEP_ROWS } from './limits.ts'
import type { JobHandler } from './scheduler.ts'

export const SWEEP_KIND = 'sweep'

/** Plans the first sweep after a start. */
export async function ensureSweep(store: Store, clock: Clock): Promise<void> {
  const dueTs = clock.now() + SWEEP_FIRST_MS
  const result = await store.commit({
    lane: 'jobs',
    ops: [{ op: 'job.put', kind: SWEEP_KIND, key: 'all', dueTs, data: '{}' }],
  })
  if (!result.ok) throw new Error(`the sweep could not be planned: ${result.conflict}`)
}

export function sweepHandler(store: Store, clock: Clock): JobHandler {
  return async () => {
    const now = clock.now()
    const plan = { lane: 'jobs', ops: [{ op: 'job.sweep', now, limit: SWEEP_ROWS } as const] }
    const result = await store.commit(plan)
    const gone = result.ok ? (result.results[0] as number) : 0
    return gone >= SWEEP_ROWS ? now : now + SWEEP_MS
  }
}
