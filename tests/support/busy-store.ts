/** A store of which it is known what is being asked of it. */
import type { Store } from '#/ports/store/store.ts'

export interface BusyStore {
  readonly store: Store
  /** Resolves once no question and no plan waits for an answer. */
  readonly rests: () => Promise<void>
}

/** `onCall` is told of every call that is answered later. */
export function busyStore(store: Store, onCall: () => void = () => {}): BusyStore {
  const under = new Set<Promise<unknown>>()
  const counted = <T>(value: T): T => {
    if (value instanceof Promise) {
      onCall()
      under.add(value)
      const done = (): void => void under.delete(value)
      value.then(done, done)
    }
    return value
  }
  return {
    store: watch(store, counted),
    async rests() {
      while (under.size > 0) await Promise.allSettled(under)
    },
  }
}

/** An object whose methods, and those of the objects in it, give what they return to `seen`. */
function watch<T extends object>(object: T, seen: <R>(value: R) => R): T {
  const made = new Map<PropertyKey, unknown>()
  return new Proxy(object, {
    get(target, name) {
      if (made.has(name)) return made.get(name)
      const value: unknown = Reflect.get(target, name)
      if (typeof value === 'function') {
        const call = value.bind(target) as (...args: unknown[]) => unknown
        made.set(name, (...args: unknown[]) => seen(call(...args)))
      } else if (typeof value === 'object' && value !== null) made.set(name, watch(value, seen))
      return made.get(name) ?? value
    },
  })
}
