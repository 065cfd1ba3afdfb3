/**
 * Dehydrated devices: a device without a session that collects keys for the user's next login.
 * https://github.com/matrix-org/matrix-spec-proposals/pull/3814
 */
import type { KeyedLock } from '#/base/async/keyed-lock.ts'
import type { Clock } from '#/base/world.ts'
import type { DehydratedRow } from '#/ports/store/dehydrated.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import type { ToDeviceRow } from '#/ports/store/to-device.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import { DEHYDRATED_CHARS_MAX, DEHYDRATED_PAGE_MAX } from './limits.ts'

/** Keys as for `/keys/upload`. */
export interface DehydratedKeys {
  readonly deviceKeys: JsonObject
  readonly oneTimeKeys: JsonObject
  readonly fallbackKeys: JsonObject
}

export interface NewDehydrated {
  readonly device: string
  /** JSON of `device_data`. */
  readonly data: string
  readonly displayName: string | undefined
  readonly keys: DehydratedKeys
}

export interface DehydratedDeps {
  readonly store: Store
  readonly clock: Clock
  readonly users: KeyedLock
  /** Keeps the keys of a device; throws a MatrixError for bad ones. */
  readonly upload: (userId: UserId, device: string, keys: DehydratedKeys) => Promise<unknown>
  /** Deletes devices of a user. */
  readonly end: (userId: string, devices: readonly string[]) => Promise<void>
  /** Notes that a device may have been given messages up to a position. */
  readonly given: {
    note(user: string, device: string, upto: number): void
    free(user: string): Promise<void>
  }
}

export interface DehydratedPage {
  readonly rows: readonly ToDeviceRow[]
  /** The position to go on from; undefined at the end. */
  readonly next: number | undefined
}

export class DehydratedDevices {
  readonly #deps: DehydratedDeps

  constructor(deps: DehydratedDeps) {
    this.#deps = deps
  }

  /** The dehydrated device of a user. Throws M_NOT_FOUND. */
  async of(userId: string): Promise<DehydratedRow> {
    const row = await this.#deps.store.dehydrated.of(userId)
    if (!row) throw new MatrixError('M_NOT_FOUND', 'You have no dehydrated device.')
    return row
  }

  /**
   * Puts a dehydrated device in the place of the one before, which stays when this one is refused.
   * @throws MatrixError M_INVALID_PARAM where the id is that of another device; what `upload` throws
   */
  put(userId: UserId, wanted: NewDehydrated): Promise<void> {
    return this.#deps.users.run(userId, () => this.#put(userId, wanted))
  }

  async #put(userId: UserId, { device, data, displayName, keys }: NewDehydrated): Promise<void> {
    const { store, clock, upload, end } = this.#deps
    const before = await store.dehydrated.of(userId)
    if (before?.device === device) await end(userId, [device])
    else if (await store.accounts.device(userId, device)) {
      throw new MatrixError('M_INVALID_PARAM', 'There is a device of this id.')
    }
    await this.#commit(userId, [
      { op: 'device.put', user: userId, device, displayName: displayName ?? null, ts: clock.now() },
    ])
    try {
      await upload(userId, device, keys)
      await this.#commit(userId, [{ op: 'dehydrated.put', user: userId, device, data }])
    } catch (error) {
      await end(userId, [device])
      throw error
    }
    if (before && before.device !== device) await end(userId, [before.device])
  }

  async #commit(userId: string, ops: readonly Op[]): Promise<void> {
    const result = await this.#deps.store.commit({ lane: userId, ops })
    if (!result.ok) throw new Error(`a dehydrated device met the conflict ${result.conflict}`)
  }

  /** Deletes the dehydrated device; gives its id. Throws M_NOT_FOUND. */
  async delete(userId: string): Promise<string> {
    const { device } = await this.of(userId)
    await this.#deps.end(userId, [device])
    return device
  }

  /**
   * Messages to the dehydrated device behind a position, which stay. Throws M_FORBIDDEN where it is not the user's
   * dehydrated device.
   */
  async events(userId: string, device: string, after: number, limit: number): Promise<DehydratedPage> {
    const { store, given } = this.#deps
    const row = await store.dehydrated.of(userId)
    if (row?.device !== device) {
      throw new MatrixError('M_FORBIDDEN', 'This is not your dehydrated device.')
    }
    await given.free(userId)
    const upto = store.position()
    given.note(userId, device, upto)
    const most = Math.max(1, Math.min(limit, DEHYDRATED_PAGE_MAX))
    const { rows, more } = await store.toDevice.page(userId, device, after, upto, most, DEHYDRATED_CHARS_MAX)
    return { rows, next: more ? rows.at(-1)?.position : undefined }
  }
}
