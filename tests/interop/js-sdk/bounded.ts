/** The library's promises, with an end. */
import { within } from '../conversation.ts'

/**
 * The same object, each of whose methods that gives a promise rejects after a while, with the name of the method and
 * of whoever waited for it.
 */
export function bounded<T extends object>(object: T, who: string): T {
  return new Proxy(object, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return (...args: unknown[]): unknown => {
        const result: unknown = Reflect.apply(value, target, args)
        return result instanceof Promise ? within(`${who}: ${String(name)}`, result) : result
      }
    },
  })
}
