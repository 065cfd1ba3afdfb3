/** Keys that fit, and what tests do with them. */
import { createHash } from 'node:crypto'
import { type SigningKey, signingKeyFromSeed, signText } from '#/protocol/crypto/ed25519.ts'
import { signedText } from '#/protocol/crypto/sign-json.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import type { ApiClient, Json } from './api-client.ts'
import { V3 } from './room-calls.ts'

export const KEYS = `${V3}/keys`
export const CURVE = 'signed_curve25519'

/** A signing key that depends on a name alone. */
export function keyOf(name: string): SigningKey {
  return signingKeyFromSeed('x', createHash('sha256').update(name).digest())
}

/** The public key in unpadded Base64. */
export const publicOf = (name: string): string => keyOf(name).verifyKey.base64

/** The object with a signature by the key of `name` added, under the id `ed25519:id`. */
export function signed(object: Json, userId: string, id: string, name: string): Json {
  const signature = signText(signedText(object as JsonObject), keyOf(name))
  const before = object.signatures ?? {}
  const mine = { ...before[userId], [`ed25519:${id}`]: signature }
  return { ...object, signatures: { ...before, [userId]: mine } }
}

/** The name under which a client's device key is made. */
export const deviceKeyName = (who: ApiClient): string => `${who.userId} ${who.deviceId}`

/** Identity keys of a client's device. */
export function deviceKeys(who: ApiClient, more: Json = {}): Json {
  const { userId, deviceId } = who
  const object = {
    user_id: userId,
    device_id: deviceId,
    algorithms: ['m.olm.v1.curve25519-aes-sha2', 'm.megolm.v1.aes-sha2'],
    keys: {
      [`curve25519:${deviceId}`]: publicOf(`curve ${userId} ${deviceId}`),
      [`ed25519:${deviceId}`]: publicOf(deviceKeyName(who)),
    },
    ...more,
  }
  return signed(object, userId, deviceId, deviceKeyName(who))
}

/** A signed key; `more` as the member `fallback`. */
export function signedCurve(who: ApiClient, name: string, more: Json = {}): Json {
  return signed({ key: publicOf(name), ...more }, who.userId, who.deviceId, deviceKeyName(who))
}

export function oneTimeKeys(who: ApiClient, ...ids: string[]): Json {
  return Object.fromEntries(ids.map((id) => [`${CURVE}:${id}`, signedCurve(who, id)]))
}

export const upload = (who: ApiClient, body: Json): Promise<Json> => who.post(`${KEYS}/upload`, body)

export const query = (who: ApiClient, ...users: ApiClient[]): Promise<Json> =>
  who.post(`${KEYS}/query`, { device_keys: Object.fromEntries(users.map(({ userId }) => [userId, []])) })

/** Claims a key of a device; its id, or undefined. */
export async function claim(
  who: ApiClient,
  of: ApiClient,
  deviceId = of.deviceId,
): Promise<string | undefined> {
  const wish = { [of.userId]: { [deviceId]: CURVE } }
  const { one_time_keys: keys } = await who.post(`${KEYS}/claim`, { one_time_keys: wish })
  return Object.keys(keys[of.userId]?.[deviceId] ?? {})[0]?.split(':')[1]
}

/** A cross-signing key of a user; made from `name`. */
export function crossKey(userId: string, usage: string, name: string): Json {
  const publicKey = publicOf(name)
  return { user_id: userId, usage: [usage], keys: { [`ed25519:${publicKey}`]: publicKey } }
}

/** The three keys of a user as they are uploaded; `prefix` names the set. */
export function crossKeys(userId: string, prefix: string): Json {
  const master = `${prefix} master`
  const under = (usage: string) =>
    signed(crossKey(userId, usage, `${prefix} ${usage}`), userId, publicOf(master), master)
  return {
    master_key: crossKey(userId, 'master', master),
    self_signing_key: under('self_signing'),
    user_signing_key: under('user_signing'),
  }
}

export const CROSS = `${KEYS}/device_signing/upload`
export const SIGNATURES = `${KEYS}/signatures/upload`

/** Publishes a user's three keys for the first time; gives them. */
export async function bootstrap(who: ApiClient, prefix = who.userId): Promise<Json> {
  const keys = crossKeys(who.userId, prefix)
  await who.post(CROSS, keys)
  return keys
}
