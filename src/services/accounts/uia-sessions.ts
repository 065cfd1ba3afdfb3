/**
 * User-interactive sessions as rows of the store, so that a restart in the middle of a registration does no harm.
 * The shapes are those of src/http/uia.ts. There is no place in them for a request's body (adv-66).
 */
import { KeyedLock } from '#/base/async/keyed-lock.ts'
import type { Store } from '#/ports/store/store.ts'
import type { JsonValue } from '#/protocol/json/value.ts'
import { UIA_KEEP_MS } from './limits.ts'

interface StoredSession {
  readonly id: string
  readonly operation: string
  readonly createdAtMs: number
  readonly completed: Readonly<Record<string, JsonValue>>
  readonly failures: number
}

export class StoredUiaSessions {
  readonly #store: Store
  readonly #lock = new KeyedLock()

  constructor(store: Store) {
    this.#store = store
  }

  async create(session: StoredSession): Promise<void> {
    const { id, operation, createdAtMs, completed, failures } = session
    const data = JSON.stringify({ operation, createdAtMs, completed, failures })
    const expiresTs = createdAtMs + UIA_KEEP_MS
    await this.#store.commit({ lane: `uia ${id}`, ops: [{ op: 'uia.put', session: id, data, expiresTs }] })
  }

  async get(id: string): Promise<StoredSession | undefined> {
    const data = await this.#store.accounts.uia(id)
    return data === undefined ? undefined : { ...(JSON.parse(data) as Omit<StoredSession, 'id'>), id }
  }

  complete(id: string, stage: string, kept: JsonValue): Promise<void> {
    return this.#change(id, (session) => ({
      ...session,
      completed: { ...session.completed, [stage]: kept },
    }))
  }

  fail(id: string): Promise<void> {
    return this.#change(id, (session) => ({ ...session, failures: session.failures + 1 }))
  }

  async delete(id: string): Promise<void> {
    await this.#lock.run(id, () =>
      this.#store.commit({ lane: `uia ${id}`, ops: [{ op: 'uia.delete', session: id }] }),
    )
  }

  /** One change of a session after the other, and none of a session that was deleted meanwhile. */
  #change(id: string, how: (session: StoredSession) => StoredSession): Promise<void> {
    return this.#lock.run(id, async () => {
      const session = await this.get(id)
      if (session) await this.create(how(session))
    })
  }
}
