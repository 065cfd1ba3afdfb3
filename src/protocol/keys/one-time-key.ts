/** One-time and fallback keys. https://spec.matrix.org/v1.19/client-server-api/#one-time-and-fallback-keys */
import { type Result, refuse } from '../errors.ts'
import { canonicalJson } from '../json/canonical.ts'
import { isObject, type JsonValue, member } from '../json/value.ts'
import { ONE_TIME_KEY_CHARS_MAX } from './limits.ts'
import { checkSignatureMap, isKeyName } from './signed-object.ts'

export interface OneTimeKey {
  readonly algorithm: string
  /** Without the algorithm. */
  readonly keyId: string
  /** Canonical JSON, so that the same key has the same text. */
  readonly json: string
}

/** Checks a key as a client uploads it under `algorithm:id`: a text, or an object with a key and signatures. */
export function parseOneTimeKey(name: string, value: JsonValue): Result<OneTimeKey> {
  if (!isKeyName(name)) return refuse('one_time_key.name', 'a key is not named "algorithm:id"')
  if (isObject(value)) {
    if (typeof member(value, 'key') !== 'string') return refuse('one_time_key.key', 'a key lacks its text')
    const fallback = member(value, 'fallback')
    if (fallback !== undefined && typeof fallback !== 'boolean') {
      return refuse('one_time_key.fallback', 'fallback is neither true nor false')
    }
    const signatures = checkSignatureMap(value, true)
    if (!signatures.ok) return signatures
  } else if (typeof value !== 'string') {
    return refuse('one_time_key.type', 'a key is neither a text nor an object')
  }
  const json = canonicalJson(value)
  if (json.length > ONE_TIME_KEY_CHARS_MAX) return refuse('one_time_key.size', 'a key is too large')
  if (json.includes('\\u0000')) return refuse('one_time_key.text', 'a key holds a NUL character')
  const colon = name.indexOf(':')
  return { ok: true, value: { algorithm: name.slice(0, colon), keyId: name.slice(colon + 1), json } }
}
