/** Identity keys of a device. https://spec.matrix.org/v1.19/client-server-api/#device-keys */
import { type Result, refuse } from '../errors.ts'
import { isArray, isObject, type JsonObject, member, setMember } from '../json/value.ts'
import { DEVICE_ALGORITHMS_MAX, DEVICE_KEYS_MAX, KEY_NAME_BYTES_MAX } from './limits.ts'
import {
  bodyOf,
  checkSignatureMap,
  isKeyName,
  type SignaturesOfUser,
  signaturesBy,
  signaturesJson,
} from './signed-object.ts'

export interface DeviceKeys {
  /** Canonical JSON of what signatures cover. */
  readonly body: string
  /** The device's own signatures. */
  readonly own: SignaturesOfUser
}

/**
 * Checks identity keys as a client uploads them (adv-38): whose they are, the shape of every member, lengths. Of the
 * signatures only those by keys of the device itself are taken; others come by `/keys/signatures/upload`.
 */
export function parseDeviceKeys(value: JsonObject, userId: string, deviceId: string): Result<DeviceKeys> {
  if (member(value, 'user_id') !== userId) return refuse('device_keys.user_id', 'user_id is not your own')
  if (member(value, 'device_id') !== deviceId) {
    return refuse('device_keys.device_id', 'device_id is not that of this session')
  }
  const algorithms = member(value, 'algorithms')
  if (!isArray(algorithms) || algorithms.length > DEVICE_ALGORITHMS_MAX || !algorithms.every(isName)) {
    return refuse('device_keys.algorithms', 'algorithms is not a list of names')
  }
  const keys = member(value, 'keys')
  if (!isObject(keys) || Object.keys(keys).length > DEVICE_KEYS_MAX) {
    return refuse('device_keys.keys', 'keys is not an object, or has too many members')
  }
  for (const [name, key] of Object.entries(keys)) {
    if (!isKeyName(name) || typeof key !== 'string') {
      return refuse('device_keys.keys', 'keys must map "algorithm:device" to texts')
    }
  }
  const signatures = checkSignatureMap(value, true)
  if (!signatures.ok) return signatures
  const body = bodyOf(value)
  if (!body.ok) return body
  const own: Record<string, string> = {}
  for (const [name, signature] of Object.entries(signaturesBy(signatures.value, userId))) {
    if (name.slice(name.indexOf(':') + 1) === deviceId) setMember(own, name, signature)
  }
  return { ok: true, value: { body: body.value, own } }
}

function isName(value: unknown): boolean {
  return typeof value === 'string' && Buffer.byteLength(value) <= KEY_NAME_BYTES_MAX
}

/** Signatures to keep with a device's keys: its own, and those by others that were kept for the same keys before. */
export function keptSignatures(
  userId: string,
  deviceId: string,
  own: SignaturesOfUser,
  before: string | undefined,
): string {
  const kept: Record<string, string> = {}
  const known = before === undefined ? {} : signaturesBy(JSON.parse(before) as JsonObject, userId)
  for (const [name, signature] of Object.entries(known)) {
    if (name.slice(name.indexOf(':') + 1) !== deviceId) setMember(kept, name, signature)
  }
  for (const [name, signature] of Object.entries(own)) setMember(kept, name, signature)
  return signaturesJson(userId, kept)
}

/** The Ed25519 key of a device, from its stored body. */
export function ed25519KeyOf(body: string, deviceId: string): string | undefined {
  const { keys } = JSON.parse(body) as { keys: Record<string, string> }
  const name = `ed25519:${deviceId}`
  return Object.hasOwn(keys, name) ? keys[name] : undefined
}
