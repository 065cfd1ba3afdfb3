/** Cross-signing keys. https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keysdevice_signingupload */
import type { KeyedLock } from '#/base/async/keyed-lock.ts'
import type { CrossSigningKey, CrossSigningRow, CrossSigningUsage } from '#/ports/store/keys.ts'
import type { Store } from '#/ports/store/store.ts'
import { MatrixError } from '#/protocol/errors.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import { type JsonObject, setMember } from '#/protocol/json/value.ts'
import { type CrossSigning, parseCrossSigning } from '#/protocol/keys/cross-signing-key.ts'
import { ed25519KeyOf } from '#/protocol/keys/device-keys.ts'
import { fits, signaturesBy, signaturesJson } from '#/protocol/keys/signed-object.ts'
import { taken } from './device-keys.ts'
import { MASTER_SIGNATURES_MAX } from './limits.ts'

/** Keys that a user uploads, by use, checked in shape. */
export type CrossSigningUpload = Readonly<Partial<Record<CrossSigningUsage, CrossSigning>>>

/** Checks the shape of uploaded keys. Throws M_BAD_JSON. */
export function parseCrossSigningUpload(
  userId: UserId,
  keys: Readonly<Partial<Record<CrossSigningUsage, JsonObject>>>,
): CrossSigningUpload {
  const upload: Partial<Record<CrossSigningUsage, CrossSigning>> = {}
  for (const usage of ['master', 'self_signing', 'user_signing'] as const) {
    const key = keys[usage]
    if (key) upload[usage] = taken(parseCrossSigning(key, userId, usage))
  }
  return upload
}

export class CrossSigningService {
  readonly #store: Store
  readonly #users: KeyedLock

  constructor(deps: { store: Store; users: KeyedLock }) {
    this.#store = deps.store
    this.#users = deps.users
  }

  /**
   * What an upload would change: `first` where the user has no master key yet, `nothing` where all keys are there
   * already, else `replaces`, which the holder of the account must confirm (MSC3967).
   */
  async effect(userId: UserId, upload: CrossSigningUpload): Promise<'first' | 'nothing' | 'replaces'> {
    const known = await this.#store.keys.crossSigning(userId)
    const bodies = new Map(known.map(({ usage, body }) => [usage, body]))
    if (!bodies.has('master')) return 'first'
    const same = Object.entries(upload).every(
      ([usage, { body }]) => bodies.get(usage as CrossSigningUsage) === body,
    )
    return same ? 'nothing' : 'replaces'
  }

  /**
   * Publishes keys. Throws M_MISSING_PARAM without a master key, M_INVALID_SIGNATURE where the master key did not
   * sign the others, M_FORBIDDEN where a key is named like a device.
   */
  async upload(userId: UserId, upload: CrossSigningUpload): Promise<void> {
    await this.#users.run(userId, async () => {
      const known = await this.#store.keys.crossSigning(userId)
      const before = known.find(({ usage }) => usage === 'master')
      const master = upload.master?.publicKey ?? before?.publicKey
      if (master === undefined) {
        throw new MatrixError(
          'M_MISSING_PARAM',
          'There is no master key: upload it first, or with the others.',
        )
      }
      const keys: CrossSigningKey[] = []
      if (upload.master) keys.push(await this.#master(userId, upload.master, before))
      for (const usage of ['self_signing', 'user_signing'] as const) {
        const key = upload[usage]
        if (key) keys.push(signedByMaster(userId, usage, key, master))
      }
      if (keys.length === 0) return
      const op = { op: 'keys.cross_signing', user: userId, keys } as const
      const result = await this.#store.commit({ lane: userId, ops: [op] })
      if (result.ok) return
      throw new MatrixError('M_FORBIDDEN', 'A key has the same name as one of your devices.')
    })
  }

  /** Keeps the signatures of a master key that are by itself or by a device of its owner, and fit (adv-23). */
  async #master(
    userId: UserId,
    { publicKey, body, signatures }: CrossSigning,
    before: CrossSigningRow | undefined,
  ): Promise<CrossSigningKey> {
    const kept: Record<string, string> = {}
    if (before?.body === body) {
      const known = signaturesBy(JSON.parse(before.signatures) as JsonObject, userId)
      for (const [name, signature] of Object.entries(known)) setMember(kept, name, signature)
    }
    for (const [name, signature] of Object.entries(signatures)) {
      const id = name.startsWith('ed25519:') ? name.slice('ed25519:'.length) : ''
      const device = id === '' || id === publicKey ? undefined : await this.#store.keys.device(userId, id)
      const key = id === publicKey ? publicKey : device && ed25519KeyOf(device.body, id)
      if (fits(body, signature, key)) setMember(kept, name, signature)
    }
    return { usage: 'master', publicKey, body, signatures: signaturesJson(userId, newest(kept)) }
  }
}

/** The last signatures of a list that grew. */
export function newest(signatures: Readonly<Record<string, string>>): Record<string, string> {
  const kept: Record<string, string> = {}
  const last = Object.entries(signatures).slice(-MASTER_SIGNATURES_MAX)
  for (const [name, signature] of last) setMember(kept, name, signature)
  return kept
}

function signedByMaster(
  userId: UserId,
  usage: CrossSigningUsage,
  { publicKey, body, signatures }: CrossSigning,
  master: string,
): CrossSigningKey {
  const name = `ed25519:${master}`
  const signature = Object.hasOwn(signatures, name) ? signatures[name] : undefined
  if (signature === undefined || !fits(body, signature, master)) {
    throw new MatrixError('M_INVALID_SIGNATURE', `The master key did not sign the ${usage} key.`)
  }
  return { usage, publicKey, body, signatures: signaturesJson(userId, { [name]: signature }) }
}
