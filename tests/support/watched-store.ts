/** A store whose plans a test sees, and may hold up, before they are written. */
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'

export interface WatchedStore {
  /** Called with the operations of every plan before it is written. */
  onCommit: ((ops: readonly Op[]) => Promise<void> | void) | undefined
  /** Operations of the plans so far. */
  readonly plans: (readonly Op[])[]
  readonly wrap: (store: Store) => Store
}

export function watchedStore(): WatchedStore {
  const watched: WatchedStore = {
    onCommit: undefined,
    plans: [],
    wrap: (store) => ({
      ...store,
      [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
      async commit(plan) {
        watched.plans.push(plan.ops)
        await watched.onCommit?.(plan.ops)
        return store.commit(plan)
      },
    }),
  }
  return watched
}
