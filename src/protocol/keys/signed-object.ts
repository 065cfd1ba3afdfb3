/** Objects that carry signatures by keys of users and devices: their parts, and whether a signature fits. */
import { importVerifyKey, verifyText } from '../crypto/ed25519.ts'
import { signedText } from '../crypto/sign-json.ts'
import { type Result, refuse } from '../errors.ts'
import { canonicalJson } from '../json/canonical.ts'
import { isObject, type JsonObject, type JsonValue, member, setMember } from '../json/value.ts'
import { KEY_NAME_BYTES_MAX, SIGNATURES_MAX, SIGNED_KEYS_CHARS_MAX } from './limits.ts'

/** Signatures by the id of the key that made them, of one user. */
export type SignaturesOfUser = Readonly<Record<string, string>>

/** Whether a name is `algorithm:id`, both not empty. */
export function isKeyName(name: string): boolean {
  const colon = name.indexOf(':')
  return colon > 0 && colon < name.length - 1 && isShort(name)
}

function isShort(text: string): boolean {
  return !text.includes('\0') && Buffer.byteLength(text) <= KEY_NAME_BYTES_MAX
}

/** The canonical JSON that signatures cover, if it is of bearable length. */
export function bodyOf(object: JsonObject): Result<string> {
  const body = signedText(object)
  if (body.length > SIGNED_KEYS_CHARS_MAX) return refuse('keys.size', 'the keys are too large')
  if (body.includes('\\u0000')) return refuse('keys.text', 'the keys hold a NUL character')
  return { ok: true, value: body }
}

/**
 * The member `signatures`: user ids to key ids to signatures, all of them texts.
 * @param needed whether it must be there
 */
export function checkSignatureMap(object: JsonObject, needed: boolean): Result<JsonObject> {
  const all = member(object, 'signatures')
  if (all === undefined && !needed) return { ok: true, value: {} }
  if (!isObject(all)) return refuse('keys.signatures', 'signatures is not an object')
  let count = 0
  for (const [user, mine] of Object.entries(all)) {
    if (!isShort(user) || !isObject(mine)) return refuse('keys.signatures', 'signatures holds a bad user')
    for (const [name, signature] of Object.entries(mine)) {
      if (typeof signature !== 'string' || !isShort(name) || signature.length > SIGNED_KEYS_CHARS_MAX) {
        return refuse('keys.signatures', 'a signature is not a text, or its key has a bad name')
      }
      if (++count > SIGNATURES_MAX) return refuse('keys.signatures', 'there are too many signatures')
    }
  }
  return { ok: true, value: all }
}

/** Signatures of one user in a map that was checked. */
export function signaturesBy(signatures: JsonValue | undefined, userId: string): SignaturesOfUser {
  const mine = isObject(signatures) ? member(signatures, userId) : undefined
  return (isObject(mine) ? mine : {}) as SignaturesOfUser
}

/** The map `signatures` with those of one user, as canonical JSON. */
export function signaturesJson(userId: string, signatures: SignaturesOfUser): string {
  const map: Record<string, JsonValue> = {}
  if (Object.keys(signatures).length > 0) setMember(map, userId, signatures)
  return canonicalJson(map)
}

/** Whether a signature (any Base64) over a body is by a public key (any Base64). */
export function fits(body: string, signature: string | undefined, publicKey: string | undefined): boolean {
  const key = publicKey === undefined ? undefined : importVerifyKey(publicKey)
  return key !== undefined && signature !== undefined && verifyText(body, signature, key)
}
