/** Cross-signing keys. https://spec.matrix.org/v1.19/client-server-api/#cross-signing */
import { importVerifyKey } from '../crypto/ed25519.ts'
import { type Result, refuse } from '../errors.ts'
import { isArray, isObject, type JsonObject, member } from '../json/value.ts'
import { bodyOf, checkSignatureMap, type SignaturesOfUser, signaturesBy } from './signed-object.ts'

export interface CrossSigning {
  /** The public key as its owner writes it, without padding. */
  readonly publicKey: string
  /** Canonical JSON of what signatures cover. */
  readonly body: string
  /** Signatures by keys of the owner; not verified. */
  readonly signatures: SignaturesOfUser
}

/** Usages have at most this many names. */
const USAGES_MAX = 10

/** Checks a cross-signing key of a user: whose it is, its use, one Ed25519 key named by itself. */
export function parseCrossSigning(value: JsonObject, userId: string, usage: string): Result<CrossSigning> {
  if (member(value, 'user_id') !== userId) return refuse('cross_signing.user_id', 'user_id is not your own')
  const usages = member(value, 'usage')
  if (!isArray(usages) || usages.length > USAGES_MAX || !usages.includes(usage)) {
    return refuse('cross_signing.usage', `usage does not name ${usage}`)
  }
  const keys = member(value, 'keys')
  const [entry, ...others] = isObject(keys) ? Object.entries(keys) : []
  if (entry === undefined || others.length > 0) {
    return refuse('cross_signing.keys', 'keys must hold exactly one key')
  }
  const [name, publicKey] = entry
  if (typeof publicKey !== 'string' || name !== `ed25519:${publicKey}` || publicKey.endsWith('=')) {
    return refuse('cross_signing.keys', 'the key must be named "ed25519:" and itself, in unpadded Base64')
  }
  if (importVerifyKey(publicKey) === undefined) {
    return refuse('cross_signing.keys', 'the key is not an Ed25519 public key')
  }
  const signatures = checkSignatureMap(value, false)
  if (!signatures.ok) return signatures
  const body = bodyOf(value)
  if (!body.ok) return body
  const mine = signaturesBy(signatures.value, userId)
  return { ok: true, value: { publicKey, body: body.value, signatures: mine } }
}
