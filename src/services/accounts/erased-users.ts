/** Whose events are shown redacted to whoever was not there: deactivated accounts that asked for it. */
import { Lru } from '#/base/lru.ts'
import type { Store } from '#/ports/store/store.ts'
import { ERASED_KNOWN_MAX } from './limits.ts'

const NOBODY: ReadonlySet<string> = new Set()

export class ErasedUsers {
  readonly #store: Store
  readonly #stop: () => void
  readonly #known = new Lru<string, boolean>(ERASED_KNOWN_MAX)
  /** Whether anybody is erased; undefined until it was read. */
  #any: boolean | undefined
  /** Rises when what was read before may be old. */
  #generation = 0

  constructor(store: Store) {
    this.#store = store
    /* An erasure comes with a deactivation, which ends all devices. */
    this.#stop = store.onChange((changes) => {
      for (const { stream, user } of changes) {
        if (stream !== 'devices' || user === undefined) continue
        this.#known.delete(user)
        if (this.#any !== true) this.#any = undefined
        this.#generation++
      }
    })
  }

  /** Those among some users who are erased. Costs no read where nobody on the server is. */
  async among(users: Iterable<string>): Promise<ReadonlySet<string>> {
    if (this.#any === false) return NOBODY
    const { usage } = this.#store
    const generation = this.#generation
    if (this.#any === undefined) {
      const any = await usage.anyErased()
      if (generation === this.#generation) this.#any = any
      if (!any) return NOBODY
    }
    const erased = new Set<string>()
    const unknown: string[] = []
    for (const user of new Set(users)) {
      const known = this.#known.get(user)
      if (known === undefined) unknown.push(user)
      else if (known) erased.add(user)
    }
    if (unknown.length === 0) return erased
    const found = new Set(await usage.erased(unknown))
    for (const user of unknown) {
      if (generation === this.#generation) this.#known.set(user, found.has(user))
      if (found.has(user)) erased.add(user)
    }
    return erased
  }

  /** Whether it is known without a wait that a user is not erased. */
  isNot(user: string): boolean {
    return this.#any === false || (this.#any === true && this.#known.get(user) === false)
  }

  close(): void {
    this.#stop()
  }
}
