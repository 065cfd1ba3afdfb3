/** How many one-time keys a device has left: part of every sync answer, so it is kept ready. */
import { Lru } from '#/base/lru.ts'
import type { DeviceKeyState, KeyCounts } from '#/ports/store/keys.ts'
import type { Store } from '#/ports/store/store.ts'
import { KEY_COUNTS_KEPT } from './limits.ts'

/** The counts as clients get them. Element waits for ever for an algorithm that is left out where there are none. */
export function countsAnswer(counts: KeyCounts): KeyCounts {
  return { signed_curve25519: 0, ...counts }
}

export class KeyCountCache {
  readonly #store: Store
  readonly #known = new Lru<string, string>(KEY_COUNTS_KEPT)
  readonly #stop: () => void
  /** Counts changes, so that what was read before one is not kept behind it. */
  #generation = 0

  constructor(store: Store) {
    this.#store = store
    this.#stop = store.onChange((changes) => {
      for (const { stream, user, device } of changes) {
        if (stream !== 'one_time_keys' || user === undefined) continue
        this.#generation++
        this.#known.delete(nameOf(user, device ?? ''))
      }
    })
  }

  close(): void {
    this.#stop()
  }

  /** `members`, where they are known without a wait. */
  known(user: string, device: string): string | undefined {
    return this.#known.get(nameOf(user, device))
  }

  /** The members `device_one_time_keys_count` and `device_unused_fallback_key_types` of a sync answer, as JSON text. */
  async members(user: string, device: string): Promise<string> {
    const name = nameOf(user, device)
    const known = this.#known.get(name)
    if (known !== undefined) return known
    const generation = this.#generation
    const text = membersOf(await this.#store.keys.state(user, device))
    if (generation === this.#generation) this.#known.set(name, text)
    return text
  }
}

function nameOf(user: string, device: string): string {
  return `${user} ${device}`
}

function membersOf({ counts, unusedFallbacks }: DeviceKeyState): string {
  const count = JSON.stringify(countsAnswer(counts))
  const unused = JSON.stringify(unusedFallbacks)
  return `"device_one_time_keys_count":${count},"device_unused_fallback_key_types":${unused}`
}
