/** Signatures over JSON objects. https://spec.matrix.org/v1.16/appendices/#signing-json */
import { type KeyId, keyAlgorithmOf, parseKeyId } from '../ids/key-id.ts'
import type { ServerName } from '../ids/server-name.ts'
import { canonicalJson } from '../json/canonical.ts'
import { isObject, type JsonObject, type JsonValue, member, setMember } from '../json/value.ts'
import { SIGNATURES_PER_SERVER_MAX } from '../limits.ts'
import { type SigningKey, signText, type VerifyKey, verifyText } from './ed25519.ts'

const NOT_SIGNED: ReadonlySet<string> = new Set(['signatures', 'unsigned'])

/** A copy without the named members. */
export function without(object: JsonObject, keys: ReadonlySet<string>): JsonObject {
  const copy: Record<string, JsonValue> = {}
  for (const key of Object.keys(object)) if (!keys.has(key)) setMember(copy, key, object[key]!)
  return copy
}

/** What a signature of the object covers: its canonical JSON without `signatures` and `unsigned`. */
export function signedText(object: JsonObject): string {
  return canonicalJson(without(object, NOT_SIGNED))
}

/** A copy of the object with one more signature. @throws NotCanonical */
export function signJson(object: JsonObject, name: string, key: SigningKey): JsonObject {
  return addSignature(object, name, key.keyId, signText(signedText(object), key))
}

/** A copy of the object with a signature added beside those that are there. */
export function addSignature(object: JsonObject, name: string, keyId: KeyId, signature: string): JsonObject {
  const old = member(object, 'signatures')
  const signatures: Record<string, JsonValue> = isObject(old) ? { ...old } : {}
  const mine = member(signatures, name)
  setMember(signatures, name, { ...(isObject(mine) ? mine : {}), [keyId]: signature })
  return { ...object, signatures }
}

/** The Ed25519 signatures of one name; at most `SIGNATURES_PER_SERVER_MAX` are looked at. */
export function signaturesOf(object: JsonObject, name: string): [KeyId, string][] {
  const all = member(object, 'signatures')
  const mine = isObject(all) ? member(all, name) : undefined
  if (!isObject(mine)) return []
  const found: [KeyId, string][] = []
  for (const [text, value] of Object.entries(mine)) {
    const keyId = parseKeyId(text)
    if (keyId === undefined || typeof value !== 'string' || keyAlgorithmOf(keyId) !== 'ed25519') continue
    found.push([keyId, value])
    if (found.length === SIGNATURES_PER_SERVER_MAX) break
  }
  return found
}

/** The names that signed, whether validly or not. */
export function signersOf(object: JsonObject): ServerName[] {
  const all = member(object, 'signatures')
  return isObject(all) ? (Object.keys(all) as ServerName[]) : []
}

/** Whether `name` signed the object with exactly this key. For to-device keys, server keys, invites. */
export function verifyJson(object: JsonObject, name: string, keyId: KeyId, key: VerifyKey): boolean {
  const entry = signaturesOf(object, name).find(([id]) => id === keyId)
  return entry !== undefined && verifyText(signedText(object), entry[1], key)
}
