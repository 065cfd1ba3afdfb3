/** Whom a user ignores. https://spec.matrix.org/v1.19/client-server-api/#ignoring-users */
import { Lru } from '#/base/lru.ts'
import type { Store } from '#/ports/store/store.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import { IGNORING_USERS_CACHED_MAX } from './limits.ts'

const NOBODY: ReadonlySet<string> = new Set()

interface List {
  readonly reading: Promise<ReadonlySet<string>>
  /** What was read, as soon as it was. */
  users: ReadonlySet<string> | undefined
}

/** Keeps the lists of users who read ready, and follows their account data. */
export class IgnoredUsers {
  readonly #store: Store
  readonly #lists = new Lru<string, List>(IGNORING_USERS_CACHED_MAX)
  readonly #stop: () => void

  constructor(store: Store) {
    this.#store = store
    this.#stop = store.onChange((changes) => {
      for (const { stream, user } of changes) {
        if (stream === 'account_data' && user !== undefined) this.#lists.delete(user)
      }
    })
  }

  /** Ids of the users whom `userId` ignores, never `userId` itself. Right as of the last commit. */
  ignoredBy(userId: string): Promise<ReadonlySet<string>> {
    const known = this.#lists.get(userId)
    if (known) return known.reading
    const list: List = { reading: this.#read(userId), users: undefined }
    this.#lists.set(userId, list)
    list.reading.then(
      (users) => {
        list.users = users
      },
      () => {
        if (this.#lists.peek(userId) === list) this.#lists.delete(userId)
      },
    )
    return list.reading
  }

  /** The same, where it is known without a wait. */
  known(userId: string): ReadonlySet<string> | undefined {
    return this.#lists.get(userId)?.users
  }

  close(): void {
    this.#stop()
  }

  async #read(userId: string): Promise<ReadonlySet<string>> {
    const row = await this.#store.accountData.get(userId, 0, 'm.ignored_user_list')
    return row ? ignoredIn(userId, JSON.parse(row.content) as JsonObject) : NOBODY
  }
}

/** Whom an `m.ignored_user_list` of a user names. Clients write it, so it may be anything. */
export function ignoredIn(userId: string, content: JsonObject): ReadonlySet<string> {
  const { ignored_users: users } = content as { ignored_users?: unknown }
  if (typeof users !== 'object' || users === null || Array.isArray(users)) return NOBODY
  const ignored = new Set(Object.keys(users))
  ignored.delete(userId)
  return ignored.size === 0 ? NOBODY : ignored
}
