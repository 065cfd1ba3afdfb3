/**
 * Answers of `/_matrix/key/v2/server` and their parts in notaries' answers.
 * https://spec.matrix.org/v1.16/server-server-api/#retrieving-server-keys
 */
import { type Result, refuse } from '../errors.ts'
import { type KeyId, keyAlgorithmOf, parseKeyId } from '../ids/key-id.ts'
import type { ServerName } from '../ids/server-name.ts'
import { isObject, type JsonObject, type JsonValue, member, setMember } from '../json/value.ts'
import { KEYS_PER_SERVER_MAX } from '../limits.ts'
import { isPublishedKey } from './bad-keys.ts'
import { importVerifyKey, type SigningKey, type VerifyKey } from './ed25519.ts'
import type { KeyLife } from './key-validity.ts'
import { signJson, verifyJson } from './sign-json.ts'

/** A published key with its life. */
export interface ServerKey extends KeyLife {
  readonly keyId: KeyId
  readonly verifyKey: VerifyKey
}

/** A checked key answer. */
export interface ServerKeys {
  readonly serverName: ServerName
  readonly validUntilTs: number
  /** Current and old keys together. */
  readonly keys: readonly ServerKey[]
}

/**
 * Checks a key answer: it is about the server asked for, and at least one listed current key signed it. Keys whose
 * private half is public count as not listed (adv-26).
 * @returns rules `server_keys.format`, `server_keys.server_name`, `server_keys.signature`, `server_keys.count`
 */
export function checkServerKeys(answer: JsonValue, expected: ServerName): Result<ServerKeys> {
  if (!isObject(answer)) return refuse('server_keys.format', 'not an object')
  if (member(answer, 'server_name') !== expected) {
    return refuse('server_keys.server_name', `the answer is not about ${expected}`)
  }
  const validUntilTs = member(answer, 'valid_until_ts')
  const current = member(answer, 'verify_keys')
  const old = member(answer, 'old_verify_keys') ?? {}
  if (typeof validUntilTs !== 'number' || !isObject(current) || !isObject(old)) {
    return refuse('server_keys.format', 'valid_until_ts, verify_keys or old_verify_keys has a wrong type')
  }
  if (Object.keys(current).length + Object.keys(old).length > KEYS_PER_SERVER_MAX) {
    return refuse('server_keys.count', `more than ${KEYS_PER_SERVER_MAX} keys`)
  }
  const keys = keysOf(current, () => ({ validUntilTs }))
  if (!keys.some((key) => verifyJson(answer, expected, key.keyId, key.verifyKey))) {
    return refuse('server_keys.signature', 'no listed key has signed the answer')
  }
  const oldKeys = keysOf(old, (entry) => {
    const expiredTs = member(entry, 'expired_ts')
    return typeof expiredTs === 'number' ? { validUntilTs, expiredTs } : undefined
  })
  const fresh = new Set(keys.map((key) => key.keyId))
  // A key listed in both places is in use; its past end must not take it away.
  const all = [...keys, ...oldKeys.filter((key) => !fresh.has(key.keyId))]
  return { ok: true, value: { serverName: expected, validUntilTs, keys: all } }
}

function keysOf(listed: JsonObject, lifeOf: (entry: JsonObject) => KeyLife | undefined): ServerKey[] {
  const found: ServerKey[] = []
  for (const [text, entry] of Object.entries(listed)) {
    const keyId = parseKeyId(text)
    if (keyId === undefined || keyAlgorithmOf(keyId) !== 'ed25519' || !isObject(entry)) continue
    const base64 = member(entry, 'key')
    const verifyKey = typeof base64 === 'string' ? importVerifyKey(base64) : undefined
    const life = lifeOf(entry)
    // adv-26: what such a key signed may be anybody's.
    if (verifyKey !== undefined && isPublishedKey(verifyKey.base64)) continue
    if (verifyKey !== undefined && life !== undefined) found.push({ keyId, verifyKey, ...life })
  }
  return found
}

/** An old key of ours that peers may need for old events. */
export interface RetiredKey {
  readonly keyId: KeyId
  /** Unpadded Base64 of the public key. */
  readonly key: string
  readonly expiredTs: number
}

/**
 * Our own answer, signed by every current key.
 * @param validUntilTs milliseconds; peers ask again after half the life that is left
 */
export function buildServerKeys(
  serverName: ServerName,
  keys: readonly SigningKey[],
  retired: readonly RetiredKey[],
  validUntilTs: number,
): JsonObject {
  const verifyKeys: Record<string, JsonValue> = {}
  for (const key of keys) setMember(verifyKeys, key.keyId, { key: key.verifyKey.base64 })
  const oldKeys: Record<string, JsonValue> = {}
  for (const key of retired) setMember(oldKeys, key.keyId, { expired_ts: key.expiredTs, key: key.key })
  const answer: JsonObject = {
    old_verify_keys: oldKeys,
    server_name: serverName,
    valid_until_ts: validUntilTs,
    verify_keys: verifyKeys,
  }
  return keys.reduce((signed, key) => signJson(signed, serverName, key), answer)
}
