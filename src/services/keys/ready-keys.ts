/**
 * Keys of users as they stand in answers, kept ready: whoever enters a large room asks for the same ones as all others
 * there. A change of somebody's devices or keys makes them be read again.
 */
import { WeightedLru } from '#/base/weighted-lru.ts'
import type { KeysOfUser } from '#/ports/store/keys.ts'
import type { Store } from '#/ports/store/store.ts'
import { KEY_TEXTS_BYTES } from './limits.ts'

/** About what an entry takes besides its texts, bytes. */
const ENTRY_BYTES = 300

export class ReadyKeys {
  readonly #store: Store
  readonly #known = new WeightedLru<string, KeysOfUser>(KEY_TEXTS_BYTES)
  /** Users who changed, for each reading that is under way. */
  readonly #readings = new Set<Set<string>>()
  readonly #stop: () => void

  constructor(store: Store) {
    this.#store = store
    this.#stop = store.onChange((changes) => {
      for (const { stream, user } of changes) {
        if (stream !== 'device_lists' || user === undefined) continue
        this.#known.delete(user)
        for (const changed of this.#readings) changed.add(user)
      }
    })
  }

  close(): void {
    this.#stop()
  }

  /** Keys of those of some users who are here, by user. */
  async of(users: readonly string[]): Promise<Map<string, KeysOfUser>> {
    const found = new Map<string, KeysOfUser>()
    const missing: string[] = []
    for (const user of users) {
      const keys = this.#known.get(user)
      if (keys) found.set(user, keys)
      else missing.push(user)
    }
    if (missing.length === 0) return found
    const changed = new Set<string>()
    this.#readings.add(changed)
    try {
      for (const keys of await this.#store.keys.query(missing)) {
        found.set(keys.user, keys)
        if (!changed.has(keys.user)) this.#known.set(keys.user, keys, weightOf(keys))
      }
    } finally {
      this.#readings.delete(changed)
    }
    return found
  }
}

function weightOf({ user, devices, master, selfSigning = '', userSigning = '' }: KeysOfUser): number {
  const signed = master ? master.body.length + master.signatures.length : 0
  return ENTRY_BYTES + user.length + devices.length + signed + selfSigning.length + userSigning.length
}
