/** Devices of a user. https://spec.matrix.org/v1.16/client-server-api/#device-management */
import type { DeviceRow } from '#/ports/store/accounts.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { Sessions } from './sessions.ts'

export interface Device {
  readonly deviceId: string
  readonly displayName: string | undefined
  /** The last use: milliseconds, address, and the client's name for itself. */
  readonly seen: { readonly ts: number; readonly ip: string; readonly agent: string | undefined } | undefined
}

export class DeviceService {
  readonly #store: Store
  readonly #sessions: Sessions

  constructor(deps: { store: Store; sessions: Sessions }) {
    this.#store = deps.store
    this.#sessions = deps.sessions
  }

  /** All devices of a user, by id. */
  async all(userId: UserId): Promise<Device[]> {
    return (await this.#store.accounts.devices(userId)).map((row) => this.#with(userId, row))
  }

  /** Throws M_NOT_FOUND. */
  async one(userId: UserId, deviceId: string): Promise<Device> {
    return this.#with(userId, await this.#row(userId, deviceId))
  }

  /** Gives a device another name. Throws M_NOT_FOUND. */
  async rename(userId: UserId, deviceId: string, displayName: string): Promise<void> {
    await this.#sessions.exclusively(userId, async () => {
      const { createdTs: ts } = await this.#row(userId, deviceId)
      const op = { op: 'device.put', user: userId, device: deviceId, displayName, ts } as const
      await this.#store.commit({ lane: userId, ops: [op] })
    })
  }

  async #row(userId: UserId, deviceId: string): Promise<DeviceRow> {
    const row = await this.#store.accounts.device(userId, deviceId)
    if (!row) throw new MatrixError('M_NOT_FOUND', 'You have no such device.')
    return row
  }

  #with(userId: UserId, row: DeviceRow): Device {
    const fresh = this.#sessions.lastSeen(userId).get(row.device)
    const written =
      row.seenTs === null
        ? undefined
        : { ts: row.seenTs, ip: row.seenIp ?? '', agent: row.seenAgent ?? undefined }
    return { deviceId: row.device, displayName: row.displayName ?? undefined, seen: fresh ?? written }
  }
}
