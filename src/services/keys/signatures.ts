/**
 * Signatures over keys. Three relations exist, and each signature is verified before it is kept (adv-23).
 * https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3keyssignaturesupload
 */
import type { KeyedLock } from '#/base/async/keyed-lock.ts'
import { type Clock, turn } from '#/base/world.ts'
import type { CrossSigningUsage, KeyOp } from '#/ports/store/keys.ts'
import type { Store } from '#/ports/store/store.ts'
import { type Errcode, MatrixError } from '#/protocol/errors.ts'
import { parseUserId, type UserId } from '#/protocol/ids/user-id.ts'
import { isObject, type JsonObject, type JsonValue, setMember } from '#/protocol/json/value.ts'
import { ed25519KeyOf } from '#/protocol/keys/device-keys.ts'
import {
  bodyOf,
  checkSignatureMap,
  fits,
  type SignaturesOfUser,
  signaturesBy,
  signaturesJson,
} from '#/protocol/keys/signed-object.ts'
import { newest } from './cross-signing.ts'
import { SIGN_TRIES, SIGNED_OBJECTS_AT_ONCE, SIGNED_OBJECTS_MAX } from './limits.ts'

/** Why a signed object was refused. */
interface Failure {
  readonly errcode: Errcode
  readonly error: string
}

/** Failures by user and key; empty when there are none. */
export type SignatureFailures = Readonly<Record<string, Readonly<Record<string, Failure>>>>

interface SignedObject {
  readonly userId: string
  /** A device id, or a public key. */
  readonly name: string
  readonly object: JsonValue
}

export class SignatureService {
  readonly #store: Store
  readonly #clock: Clock
  readonly #users: KeyedLock

  constructor(deps: { store: Store; clock: Clock; users: KeyedLock }) {
    this.#store = deps.store
    this.#clock = deps.clock
    this.#users = deps.users
  }

  /** Keeps the signatures of signed objects, by user and key. Gives the failures. Throws M_TOO_LARGE, M_BAD_JSON. */
  async upload(signer: UserId, body: JsonObject): Promise<SignatureFailures> {
    const objects = [...listed(body)]
    return this.#users.run(signer, async () => {
      for (let tries = 0; ; tries++) {
        const { ops, failures } = await this.#judge(signer, objects)
        if (ops.length === 0) return failures
        const result = await this.#store.commit({ lane: signer, ops })
        if (result.ok) return failures
        /* A device went or uploaded other keys meanwhile: look again. */
        if (tries >= SIGN_TRIES) {
          throw new MatrixError('M_LIMIT_EXCEEDED', 'These keys change just now.', { retry_after_ms: 1000 })
        }
      }
    })
  }

  async #judge(
    signer: UserId,
    objects: readonly SignedObject[],
  ): Promise<{ ops: KeyOp[]; failures: SignatureFailures }> {
    const known = await this.#store.keys.crossSigning(signer)
    const own = new Map(known.map((row) => [row.usage, row]))
    const ops: KeyOp[] = []
    const failures: Record<string, Record<string, Failure>> = {}
    for (const [at, signed] of objects.entries()) {
      if (at % SIGNED_OBJECTS_AT_ONCE === SIGNED_OBJECTS_AT_ONCE - 1) await turn(this.#clock)
      const verdict = await this.#one(signer, own, signed)
      if ('op' in verdict) {
        ops.push(verdict)
        continue
      }
      if (!Object.hasOwn(failures, signed.userId)) setMember(failures as never, signed.userId, {})
      setMember(failures[signed.userId] as never, signed.name, verdict as never)
    }
    return { ops, failures }
  }

  async #one(signer: UserId, own: OwnKeys, { userId, name, object }: SignedObject): Promise<KeyOp | Failure> {
    if (name.includes('\0') || parseUserId(userId) === undefined) return unknown('There is no such key.')
    if (!isObject(object)) return invalid('The signed key is not an object.')
    const map = checkSignatureMap(object, true)
    const body = bodyOf(object)
    if (!map.ok || !body.ok) return invalid('The signed key is not as it should be.')
    const signatures = signaturesBy(map.value, signer)
    const signed = { body: body.value, signatures }
    if (userId !== signer) return this.#other(signer, own, userId, name, signed)
    const device = await this.#store.keys.device(signer, name)
    if (device) {
      if (device.body !== signed.body) return changed()
      const verified = verifiedBy(own.get('self_signing')?.publicKey, signed)
      if (!verified) return invalid('Your self-signing key did not sign this device.')
      const before = signaturesBy(JSON.parse(device.signatures) as JsonObject, signer)
      /* What a former self-signing key signed is worth nothing any more. */
      const kept: Record<string, string> = {}
      for (const [key, signature] of Object.entries(before)) {
        if (key.slice(key.indexOf(':') + 1) === name) setMember(kept, key, signature)
      }
      setMember(kept, ...verified)
      return {
        op: 'keys.sign',
        user: signer,
        device: name,
        body: device.body,
        signatures: signaturesJson(signer, kept),
      }
    }
    return this.#master(signer, own, name, signed)
  }

  /** The own master key, signed by own devices. */
  async #master(signer: UserId, own: OwnKeys, name: string, signed: Signed): Promise<KeyOp | Failure> {
    const master = own.get('master')
    if (master?.publicKey !== name) return unknown('You have no such device or master key.')
    if (master.body !== signed.body) return changed()
    const kept: Record<string, string> = {}
    const before = signaturesBy(JSON.parse(master.signatures) as JsonObject, signer)
    for (const [key, signature] of Object.entries(before)) setMember(kept, key, signature)
    let some = false
    for (const [key, signature] of Object.entries(signed.signatures)) {
      const id = key.startsWith('ed25519:') ? key.slice('ed25519:'.length) : ''
      const device = id === '' ? undefined : await this.#store.keys.device(signer, id)
      /* A signature that is there already may come along. */
      if (Object.hasOwn(before, key) && before[key] === signature) {
        some = true
        continue
      }
      if (!device || !fits(signed.body, signature, ed25519KeyOf(device.body, id))) {
        return invalid('A signature of your master key is not by one of your devices, or does not fit.')
      }
      delete kept[key]
      setMember(kept, key, signature)
      some = true
    }
    if (!some) return invalid('None of your devices signed your master key.')
    return {
      op: 'keys.sign',
      user: signer,
      body: master.body,
      signatures: signaturesJson(signer, newest(kept)),
    }
  }

  /** Somebody else's master key, signed by the own user-signing key. */
  async #other(
    signer: UserId,
    own: OwnKeys,
    userId: string,
    name: string,
    signed: Signed,
  ): Promise<KeyOp | Failure> {
    const rows = await this.#store.keys.crossSigning(userId)
    const master = rows.find(({ usage }) => usage === 'master')
    if (master?.publicKey !== name) return unknown('This user has no such master key.')
    if (master.body !== signed.body) return changed()
    const verified = verifiedBy(own.get('user_signing')?.publicKey, signed)
    if (!verified) return invalid('Your user-signing key did not sign this master key.')
    const [keyId, signature] = verified
    return { op: 'keys.sign_user', signer, user: userId, publicKey: name, keyId, signature }
  }
}

type OwnKeys = ReadonlyMap<
  CrossSigningUsage,
  { readonly publicKey: string; readonly body: string; readonly signatures: string }
>

interface Signed {
  readonly body: string
  readonly signatures: SignaturesOfUser
}

/** The signature by one key, if there is one and it fits. */
function verifiedBy(
  publicKey: string | undefined,
  { body, signatures }: Signed,
): [string, string] | undefined {
  const name = `ed25519:${publicKey}`
  const signature = Object.hasOwn(signatures, name) ? signatures[name] : undefined
  return signature !== undefined && fits(body, signature, publicKey) ? [name, signature] : undefined
}

function* listed(body: JsonObject): Generator<SignedObject> {
  let count = 0
  for (const [userId, keys] of Object.entries(body)) {
    if (!isObject(keys)) throw new MatrixError('M_BAD_JSON', 'The body must map users to their signed keys.')
    for (const [name, object] of Object.entries(keys)) {
      if (++count > SIGNED_OBJECTS_MAX) {
        throw new MatrixError('M_TOO_LARGE', `At most ${SIGNED_OBJECTS_MAX} keys can be signed at once.`)
      }
      yield { userId, name, object }
    }
  }
}

const invalid = (error: string): Failure => ({ errcode: 'M_INVALID_SIGNATURE', error })
const unknown = (error: string): Failure => ({ errcode: 'M_NOT_FOUND', error })
const changed = (): Failure => invalid('What was signed is not the key that this server has.')
