/** Backups of room keys. https://spec.matrix.org/v1.19/client-server-api/#server-side-key-backups */
import type {
  BackupKeyRow,
  BackupPage,
  BackupPlace,
  BackupState,
  BackupVersionRow,
} from '#/ports/store/backups.ts'

export type { BackupKeyRow, BackupPage, BackupState, BackupVersionRow }

import type { CommitResult, Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import {
  BACKUP_DROPPED_PER_PLAN,
  BACKUP_KEYS_MAX,
  BACKUP_KEYS_PER_PLAN,
  BACKUP_PAGE_KEYS,
  BACKUP_PLANS_AT_ONCE,
  BACKUP_VERSIONS_MAX,
} from './limits.ts'

/** Which keys: all, of a room, or of a session in it. */
export interface KeyScope {
  readonly roomId?: string
  readonly sessionId?: string
}

export class BackupService {
  readonly #store: Store

  constructor(deps: { readonly store: Store }) {
    this.#store = deps.store
  }

  /** Makes a backup, which is the current one from then on; gives its version. */
  async create(userId: string, algorithm: string, authData: string): Promise<string> {
    const op: Op = { op: 'backup.create', user: userId, algorithm, authData, most: BACKUP_VERSIONS_MAX }
    const result = await this.#store.commit({ lane: userId, ops: [op] })
    if (!result.ok) throw new Error(`a new backup met the conflict ${result.conflict}`)
    return String(result.results[0])
  }

  /** A backup, or the current one. Throws M_NOT_FOUND. */
  async version(userId: string, version?: string): Promise<BackupVersionRow> {
    const number = version === undefined ? undefined : numberOf(version)
    if (version !== undefined && number === undefined) throw unknownVersion()
    const row = await this.#store.backups.version(userId, number)
    if (row) return row
    throw version === undefined
      ? new MatrixError('M_NOT_FOUND', 'You have no backup of room keys.')
      : unknownVersion()
  }

  /** Sets `auth_data` (JSON). Throws M_NOT_FOUND, M_INVALID_PARAM for another algorithm. */
  async update(userId: string, version: string, algorithm: string, authData: string): Promise<void> {
    const row = await this.version(userId, version)
    if (row.algorithm !== algorithm) {
      throw new MatrixError('M_INVALID_PARAM', 'The algorithm of a backup cannot change.')
    }
    const op: Op = { op: 'backup.update', user: userId, version: row.version, authData }
    const result = await this.#store.commit({ lane: userId, ops: [op] })
    if (!result.ok) throw unknownVersion()
  }

  /** Deletes a backup, also one that was deleted before. Throws M_NOT_FOUND. */
  async delete(userId: string, version: string): Promise<void> {
    const number = numberOf(version)
    if (number === undefined) throw unknownVersion()
    const op: Op = { op: 'backup.delete', user: userId, version: number }
    const result = await this.#store.commit({ lane: userId, ops: [op] })
    if (!result.ok) throw unknownVersion()
  }

  /**
   * Stores keys where they are better than what is there; each is named once.
   * @throws MatrixError M_WRONG_ROOM_KEYS_VERSION when the version is not the current one any more, M_NOT_FOUND when it
   * never was, M_TOO_LARGE when the backup is full
   */
  async put(userId: string, version: string, keys: readonly BackupKeyRow[]): Promise<BackupState> {
    const number = numberOf(version)
    if (number === undefined) throw unknownVersion()
    const put = (some: readonly BackupKeyRow[]): Promise<CommitResult> => {
      const op: Op = { op: 'backup.put', user: userId, version: number, keys: some, most: BACKUP_KEYS_MAX }
      return this.#store.commit({ lane: userId, ops: [op] })
    }
    const plans: (readonly BackupKeyRow[])[] = keys.length === 0 ? [[]] : []
    for (let at = 0; at < keys.length; at += BACKUP_KEYS_PER_PLAN) {
      plans.push(keys.slice(at, at + BACKUP_KEYS_PER_PLAN))
    }
    let state: BackupState | undefined
    for (let at = 0; at < plans.length; at += BACKUP_PLANS_AT_ONCE) {
      const results = await Promise.all(plans.slice(at, at + BACKUP_PLANS_AT_ONCE).map(put))
      for (const result of results) {
        if (!result.ok) throw await this.#refusal(userId, number, result.conflict)
        state = result.results[0] as BackupState
      }
    }
    return state!
  }

  async #refusal(userId: string, version: number, conflict: string): Promise<Error> {
    if (conflict === 'taken') return new MatrixError('M_TOO_LARGE', 'The backup is full.')
    const current = await this.#store.backups.version(userId)
    if (!current || version > (await this.#store.backups.last(userId))) return unknownVersion()
    return new MatrixError('M_WRONG_ROOM_KEYS_VERSION', 'This is not the current backup.', {
      current_version: String(current.version),
    })
  }

  /** Deletes keys. Throws M_NOT_FOUND for an unknown version. */
  async drop(userId: string, version: string, scope: KeyScope): Promise<BackupState> {
    const number = numberOf(version)
    if (number === undefined) throw unknownVersion()
    const limit = BACKUP_DROPPED_PER_PLAN
    for (;;) {
      const op: Op = { op: 'backup.drop', user: userId, version: number, limit, ...scope }
      const result = await this.#store.commit({ lane: userId, ops: [op] })
      if (!result.ok) throw unknownVersion()
      const state = result.results[0] as BackupState & { deleted: number }
      if (state.deleted < limit) return state
    }
  }

  /** One key. Throws M_NOT_FOUND. */
  async key(userId: string, version: string, roomId: string, sessionId: string): Promise<BackupKeyRow> {
    const { version: number } = await this.version(userId, version)
    const row = await this.#store.backups.key(userId, number, roomId, sessionId)
    if (!row) throw new MatrixError('M_NOT_FOUND', 'This key is not in the backup.')
    return row
  }

  /**
   * Keys of a backup, or of a room in it, in pages, ordered by room and session. The first page is read before this
   * resolves. Throws M_NOT_FOUND, while pages are read too.
   */
  async keys(userId: string, version: string, roomId: string | null): Promise<AsyncIterable<BackupPage>> {
    const number = numberOf(version)
    if (number === undefined) throw unknownVersion()
    const { backups } = this.#store
    const read = async (after: BackupPlace): Promise<BackupPage> => {
      const page = await backups.keys(userId, number, roomId, after, BACKUP_PAGE_KEYS)
      if (!page) throw unknownVersion()
      return page
    }
    const first = await read(['', ''])
    return (async function* () {
      let page = first
      for (;;) {
        yield page
        if (!page.last || page.count < BACKUP_PAGE_KEYS) return
        page = await read(page.last)
      }
    })()
  }
}

/** Versions are counted from 1. */
function numberOf(version: string): number | undefined {
  const number = Number(version)
  return Number.isSafeInteger(number) && number > 0 && String(number) === version ? number : undefined
}

function unknownVersion(): MatrixError {
  return new MatrixError('M_NOT_FOUND', 'There is no backup of this version.')
}
