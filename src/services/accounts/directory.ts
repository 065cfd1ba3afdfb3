/** The user directory. https://spec.matrix.org/v1.16/client-server-api/#user-directory */
import type { Clock } from '#/base/world.ts'
import type { DirectoryPage } from '#/ports/store/people.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { JobHandler } from '../jobs/scheduler.ts'
import { DIRECTORY_RESULTS_MAX, REINDEX_ROWS } from './limits.ts'

/** Group `user_directory`. */
export interface DirectoryOptions {
  readonly enabled: boolean
  readonly searchAllUsers: boolean
  readonly preferLocalUsers: boolean
  readonly excludeRemoteUsers: boolean
  readonly showLockedUsers: boolean
}

export class UserDirectory {
  readonly #store: Store
  readonly #options: DirectoryOptions

  constructor(deps: { store: Store; options: DirectoryOptions }) {
    this.#store = deps.store
    this.#options = deps.options
  }

  /** The people whom a user may find by a term, the best first. */
  async search(searcher: UserId, term: string, limit: number): Promise<DirectoryPage> {
    const { enabled, searchAllUsers, preferLocalUsers, excludeRemoteUsers, showLockedUsers } = this.#options
    if (!enabled) return { people: [], limited: false }
    return this.#store.people.search({
      term,
      searcher,
      limit: Math.min(limit, DIRECTORY_RESULTS_MAX),
      all: searchAllUsers,
      localOnly: excludeRemoteUsers,
      localFirst: preferLocalUsers,
      showLocked: showLockedUsers,
    })
  }
}

export const REBUILD_KIND = 'directory.rebuild'

/** Plans the building of the index where it is of another version, for example after an update. */
export async function ensureDirectory(store: Store, clock: Clock, version: number): Promise<void> {
  if ((await store.people.directoryVersion()) === version) return
  await planRebuild(store, clock)
}

/** Plans that the index is built anew. */
export async function planRebuild(store: Store, clock: Clock): Promise<void> {
  const op = { op: 'job.put', kind: REBUILD_KIND, key: 'all', dueTs: clock.now(), data: '{}' } as const
  await store.commit({ lane: 'jobs', ops: [op] })
}

/**
 * Goes through all accounts and rooms, a few in each plan. What changes meanwhile is indexed as ever, so it may stop
 * and begin again at any moment.
 */
export function rebuildHandler(store: Store, version: number): JobHandler {
  const step = async <T>(op: Op): Promise<T> => {
    const result = await store.commit({ lane: 'directory', ops: [op] })
    if (!result.ok) throw new Error(`the directory met the conflict ${result.conflict}`)
    return result.results[0] as T
  }
  return async () => {
    let user: string | null = ''
    while (user !== null) user = await step({ op: 'directory.reindex', after: user, limit: REINDEX_ROWS })
    let room: number | null = 0
    while (room !== null)
      room = await step({ op: 'directory.reindex_rooms', after: room, limit: REINDEX_ROWS })
    await step({ op: 'directory.built', version })
    return undefined
  }
}
