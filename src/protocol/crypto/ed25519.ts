/**
 * Ed25519 over bytes, by libsodium: it takes half the time of OpenSSL's, and refuses the same signatures as Synapse,
 * which uses it too. Synchronous and deterministic.
 */
import sodium from 'sodium-native'
import { type KeyId, mintKeyId } from '../ids/key-id.ts'
import { VERIFY_KEYS_CACHED_MAX } from '../limits.ts'
import { hasSmallOrder } from './bad-keys.ts'
import { decodeBase64, encodeBase64 } from './base64.ts'

/** A public key ready for use. Made by `importVerifyKey`. */
export interface VerifyKey {
  readonly raw: Buffer
  /** Unpadded standard Base64. */
  readonly base64: string
}

/** A private key ready for use. Made by `signingKeyFromSeed`. */
export interface SigningKey {
  /** `ed25519:a_Abcd` */
  readonly keyId: KeyId
  readonly seed: Uint8Array
  /** Seed and public key, as libsodium wants them. */
  readonly secret: Buffer
  readonly verifyKey: VerifyKey
}

const KEY_BYTES = 32
const SIGNATURE_BYTES = 64
const SECRET_BYTES = 64

const imported = new Map<string, VerifyKey>()

/** A public key from any Base64, or undefined when it is not 32 bytes or a point of small order (adv-26). */
export function importVerifyKey(base64: string): VerifyKey | undefined {
  const hit = imported.get(base64)
  if (hit !== undefined) {
    // Moved to the young end, so that the oldest entry is the least recently used.
    imported.delete(base64)
    imported.set(base64, hit)
    return hit
  }
  const raw = decodeBase64(base64)
  if (raw?.length !== KEY_BYTES || hasSmallOrder(raw)) return undefined
  const key = { raw, base64: encodeBase64(raw) }
  if (imported.size >= VERIFY_KEYS_CACHED_MAX) imported.delete(imported.keys().next().value!)
  imported.set(base64, key)
  return key
}

/**
 * A signing key from its 32 byte seed.
 * @param version the part after `ed25519:`: letters, digits, `_`
 * @throws RangeError on a seed of another length or a bad version
 */
export function signingKeyFromSeed(version: string, seed: Uint8Array): SigningKey {
  if (seed.length !== KEY_BYTES) throw new RangeError(`an Ed25519 seed has 32 bytes, not ${seed.length}`)
  const raw = Buffer.alloc(KEY_BYTES)
  const secret = Buffer.alloc(SECRET_BYTES)
  sodium.crypto_sign_seed_keypair(raw, secret, Buffer.from(seed))
  return { keyId: mintKeyId(version), seed, secret, verifyKey: { raw, base64: encodeBase64(raw) } }
}

/** The signature of a text's UTF-8 bytes, unpadded standard Base64. */
export function signText(text: string, key: SigningKey): string {
  const signature = Buffer.allocUnsafe(SIGNATURE_BYTES)
  sodium.crypto_sign_detached(signature, Buffer.from(text, 'utf8'), key.secret)
  return encodeBase64(signature)
}

/** Whether `signature` (any Base64) is the key's signature of the text's UTF-8 bytes. */
export function verifyText(text: string, signature: string, key: VerifyKey): boolean {
  const bytes = decodeBase64(signature)
  if (bytes?.length !== SIGNATURE_BYTES) return false
  return sodium.crypto_sign_verify_detached(bytes, Buffer.from(text, 'utf8'), key.raw)
}
