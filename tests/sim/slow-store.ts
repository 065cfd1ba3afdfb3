/**
 * The store as one life of a server sees it: reads may take time, as they do on threads and over a network, and
 * nothing reaches a server that has crashed.
 */
import type { Store } from '#/ports/store/store.ts'
import type { SeededRng } from './seeded-rng.ts'
import type { SimWorld } from './sim-world.ts'

export interface SlowReads {
  /** Share of the reads that take time. */
  readonly share: number
  readonly msMax: number
}

export interface Liveness {
  readonly alive: boolean
}

/** A new one for each who waits: one for all would hold them all for ever. */
const never = (): Promise<never> => new Promise(() => {})

export function slowStore(
  store: Store,
  life: Liveness,
  world: SimWorld,
  rng: SeededRng,
  slow: SlowReads,
): Store {
  const pause = async (): Promise<void> => {
    if (rng.chance(slow.share)) await world.sleep(rng.below(slow.msMax + 1))
    if (!life.alive) await never()
  }
  const whileAlive = async <T>(ask: () => Promise<T>): Promise<T> => {
    if (!life.alive) return never()
    try {
      const answer = await ask()
      return life.alive ? answer : await never()
    } catch (error) {
      if (!life.alive) return never()
      throw error
    }
  }
  const read = async <T>(ask: () => Promise<T>): Promise<T> => {
    if (slow.share > 0) await pause()
    const answer = await whileAlive(ask)
    if (slow.share > 0) await pause()
    return answer
  }
  const reader = <R extends object>(group: R): R => {
    const out: Record<string, unknown> = {}
    for (const [name, ask] of Object.entries(group)) {
      const call = ask as (...args: unknown[]) => Promise<unknown>
      out[name] = (...args: unknown[]) => read(() => call(...args))
    }
    return out as R
  }
  const slowed = Object.entries(store)
    .filter(([, part]) => typeof part === 'object' && part !== null)
    .map(([name, part]) => [name, reader(part as object)])
  return {
    ...store,
    ...Object.fromEntries(slowed),
    commit: (plan) => whileAlive(() => store.commit(plan)),
    onChange: (listener) =>
      store.onChange((changes, position) => {
        if (life.alive) listener(changes, position)
      }),
  }
}
