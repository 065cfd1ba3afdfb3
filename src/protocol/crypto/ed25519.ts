/** Ed25519 over bytes, by node:crypto, with imported keys cached. Synchronous and deterministic. */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { type KeyId, mintKeyId } from '../ids/key-id.ts'
import { VERIFY_KEYS_CACHED_MAX } from '../limits.ts'
import { hasSmallOrder } from './bad-keys.ts'
import { decodeBase64, encodeBase64 } from './base64.ts'

/** A public key ready for use. Made by `importVerifyKey`. */
export interface VerifyKey {
  readonly object: KeyObject
  /** Unpadded standard Base64. */
  readonly base64: string
}

/** A private key ready for use. Made by `signingKeyFromSeed`. */
export interface SigningKey {
  /** `ed25519:a_Abcd` */
  readonly keyId: KeyId
  readonly seed: Uint8Array
  readonly privateKey: KeyObject
  readonly verifyKey: VerifyKey
}

const KEY_BYTES = 32
const SIGNATURE_BYTES = 64
/** DER wrapping of a raw seed (RFC 8410, PKCS #8) and of a raw public key (SubjectPublicKeyInfo). */
const SEED_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')
const PUBLIC_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')

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
  const key = publicKey(raw)
  if (key === undefined) return undefined
  if (imported.size >= VERIFY_KEYS_CACHED_MAX) imported.delete(imported.keys().next().value!)
  imported.set(base64, key)
  return key
}

function publicKey(raw: Buffer): VerifyKey | undefined {
  try {
    const object = createPublicKey({ key: Buffer.concat([PUBLIC_PREFIX, raw]), format: 'der', type: 'spki' })
    return { object, base64: encodeBase64(raw) }
  } catch {
    // OpenSSL may refuse bytes that are no point of the curve; for us that is simply no key.
    return undefined
  }
}

/**
 * A signing key from its 32 byte seed.
 * @param version the part after `ed25519:`: letters, digits, `_`
 * @throws RangeError on a seed of another length or a bad version
 */
export function signingKeyFromSeed(version: string, seed: Uint8Array): SigningKey {
  if (seed.length !== KEY_BYTES) throw new RangeError(`an Ed25519 seed has 32 bytes, not ${seed.length}`)
  const privateKey = createPrivateKey({
    key: Buffer.concat([SEED_PREFIX, seed]),
    format: 'der',
    type: 'pkcs8',
  })
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
  const raw = spki.subarray(PUBLIC_PREFIX.length)
  return { keyId: mintKeyId(version), seed, privateKey, verifyKey: publicKey(raw)! }
}

/** The signature of a text's UTF-8 bytes, unpadded standard Base64. */
export function signText(text: string, key: SigningKey): string {
  return encodeBase64(sign(null, Buffer.from(text, 'utf8'), key.privateKey))
}

/** Whether `signature` (any Base64) is the key's signature of the text's UTF-8 bytes. */
export function verifyText(text: string, signature: string, key: VerifyKey): boolean {
  const bytes = decodeBase64(signature)
  if (bytes?.length !== SIGNATURE_BYTES) return false
  return verify(null, Buffer.from(text, 'utf8'), key.object, bytes)
}
