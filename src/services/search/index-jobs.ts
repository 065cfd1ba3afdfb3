/** The work that keeps the index whole: filling it with older events, or emptying it when it was turned off. */
import { type Clock, sleep } from '#/base/world.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import type { JobHandler } from '../jobs/scheduler.ts'
import { FILL_PAUSE_MS, FILL_STEPS } from './limits.ts'

export const SEARCH_INDEX_KIND = 'search.index'

/** Turns the index on or off as configured, and plans what remains to be done. Before anything is written. */
export async function ensureSearch(store: Store, clock: Clock, enabled: boolean): Promise<void> {
  await commit(store, 'search', { op: 'search.enable', on: enabled })
  const { active, filling } = await store.search.status()
  if (!active || filling) await commit(store, 'search', jobOp(clock))
}

/** All rooms are to be indexed anew. */
export async function rebuildSearch(store: Store, clock: Clock): Promise<void> {
  await commit(store, 'search', { op: 'search.restart' }, jobOp(clock))
}

function jobOp(clock: Clock): Op {
  return { op: 'job.put', kind: SEARCH_INDEX_KIND, key: 'all', dueTs: clock.now(), data: '{}' }
}

async function commit(store: Store, lane: string, ...ops: Op[]): Promise<readonly unknown[]> {
  const result = await store.commit({ lane, ops })
  if (!result.ok) throw new Error(`the search index met the conflict ${result.conflict}`)
  return result.results
}

/** A few steps at a time; what was done stays done when the server stops. */
export function searchIndexHandler(store: Store, clock: Clock): JobHandler {
  return async () => {
    for (let step = 0; step < FILL_STEPS; step++) {
      if (!(await oneStep(store))) return undefined
      await sleep(clock, 0)
    }
    return clock.now() + FILL_PAUSE_MS
  }
}

async function oneStep(store: Store): Promise<boolean> {
  const { active, filling, next } = await store.search.status()
  if (!active) return (await commit(store, 'search', { op: 'search.clear' }))[0] === true
  if (!filling) return false
  const room = next === 0 ? undefined : await store.rooms.byNid(next)
  await commit(store, room?.roomId ?? 'search', { op: 'search.fill', room: next })
  return true
}
