/** Uploading keys of a device. https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysupload */
import type { KeyedLock } from '#/base/async/keyed-lock.ts'
import type { KeyCounts, SignedParts, StoredKey } from '#/ports/store/keys.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import { type DeviceKeys, keptSignatures, parseDeviceKeys } from '#/protocol/keys/device-keys.ts'
import { parseOneTimeKey } from '#/protocol/keys/one-time-key.ts'
import { FALLBACK_KEYS_AT_ONCE, ONE_TIME_KEYS_AT_ONCE, ONE_TIME_KEYS_MAX } from './limits.ts'

export interface KeyUpload {
  readonly deviceKeys: JsonObject | undefined
  /** By `algorithm:id`. */
  readonly oneTimeKeys: JsonObject
  readonly fallbackKeys: JsonObject
}

export class DeviceKeyService {
  readonly #store: Store
  /** Changes of one user's signed keys come one after the other. */
  readonly #users: KeyedLock

  constructor(deps: { store: Store; users: KeyedLock }) {
    this.#store = deps.store
    this.#users = deps.users
  }

  /**
   * Keeps what a device uploads, all or nothing; gives how many one-time keys it has then. Throws M_BAD_JSON for keys
   * that are not as they should be (adv-38), M_INVALID_PARAM for a key id that has another content already.
   */
  async upload(userId: UserId, deviceId: string, upload: KeyUpload): Promise<KeyCounts> {
    const { deviceKeys } = upload
    const keys = deviceKeys && taken(parseDeviceKeys(deviceKeys, userId, deviceId))
    const oneTime = keysFrom(upload.oneTimeKeys, ONE_TIME_KEYS_AT_ONCE, 'one-time')
    const fallback = keysFrom(upload.fallbackKeys, FALLBACK_KEYS_AT_ONCE, 'fallback')
    if (new Set(fallback.map(({ algorithm }) => algorithm)).size < fallback.length) {
      throw new MatrixError('M_BAD_JSON', 'There can be only one fallback key of each algorithm.')
    }
    if (!keys && oneTime.length === 0 && fallback.length === 0) {
      return (await this.#store.keys.state(userId, deviceId)).counts
    }
    return this.#users.run(userId, async () => {
      const result = await this.#store.commit({
        lane: userId,
        ops: [
          {
            op: 'keys.upload',
            user: userId,
            device: deviceId,
            keys: keys && (await this.#signed(userId, deviceId, keys)),
            oneTime,
            fallback,
            most: ONE_TIME_KEYS_MAX,
          },
        ],
      })
      if (result.ok) return result.results[0] as KeyCounts
      throw refusal(result.conflict, result.value)
    })
  }

  /** The same keys again keep what others signed of them. */
  async #signed(userId: UserId, deviceId: string, { body, own }: DeviceKeys): Promise<SignedParts> {
    const known = await this.#store.keys.device(userId, deviceId)
    const before = known?.body === body ? known.signatures : undefined
    return { body, signatures: keptSignatures(userId, deviceId, own, before) }
  }
}

function keysFrom(object: JsonObject, most: number, kind: string): StoredKey[] {
  const entries = Object.entries(object)
  if (entries.length > most) {
    throw new MatrixError('M_BAD_JSON', `There can be at most ${most} ${kind} keys in one upload.`)
  }
  return entries.map(([name, value]) => taken(parseOneTimeKey(name, value)))
}

/** The value, or the refusal as M_BAD_JSON. */
export function taken<T>(
  result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: string },
): T {
  if (result.ok) return result.value
  throw new MatrixError('M_BAD_JSON', `These keys are refused: ${result.why}.`)
}

function refusal(conflict: string, value: string | undefined): MatrixError {
  if (conflict === 'taken') {
    return new MatrixError('M_INVALID_PARAM', `The key ${value} was uploaded before with another content.`)
  }
  if (conflict === 'full') {
    return new MatrixError('M_INVALID_PARAM', `A device has at most ${ONE_TIME_KEYS_MAX} one-time keys.`)
  }
  return new MatrixError('M_UNKNOWN_TOKEN', 'This device has been logged out.', { soft_logout: false })
}
