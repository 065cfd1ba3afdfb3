/** Devices of a run and what they upload. No server can tell these keys and signatures from true ones. */
import { randomBytes } from 'node:crypto'
import type { User } from '../lib/matrix.ts'

export type Json = Record<string, unknown>

export const V3 = '/_matrix/client/v3'
export const CURVE = 'signed_curve25519'

export interface Device {
  readonly user: User
  readonly id: string
}

/** Unpadded Base64 of so many bytes. */
const made = (bytes: number): string => randomBytes(bytes).toString('base64').replaceAll('=', '')

const signed = ({ user, id }: Device): Json => ({ [user.userId]: { [`ed25519:${id}`]: made(64) } })

/** Key ids as clients make them: a counter in Base64. */
export function oneTimeKeys(device: Device, from: number, count: number): Json {
  const keys = Array.from({ length: count }, (_, i) => {
    const id = Buffer.from(new Uint32Array([from + i]).buffer)
      .toString('base64')
      .replaceAll('=', '')
    return [`${CURVE}:${id}`, { key: made(32), signatures: signed(device) }]
  })
  return Object.fromEntries(keys) as Json
}

export function deviceKeys(device: Device): Json {
  const { user, id } = device
  return {
    user_id: user.userId,
    device_id: id,
    algorithms: ['m.olm.v1.curve25519-aes-sha2', 'm.megolm.v1.aes-sha2'],
    keys: { [`curve25519:${id}`]: made(32), [`ed25519:${id}`]: made(32) },
    signatures: signed(device),
  }
}

/** An Olm message of about a kilobyte, as a room key travels in. */
export function olmContent(n: number, m: number): Json {
  const key = made(32)
  return {
    algorithm: 'm.olm.v1.curve25519-aes-sha2',
    sender_key: key,
    ciphertext: { [made(32)]: { type: 0, body: `${n}-${m}-${'x'.repeat(900)}` } },
  }
}

/** Room keys as they are backed up: `count` sessions in ten rooms. */
export function backedUp(n: number, count: number): Json {
  const rooms = Array.from({ length: 10 }, () => ({ sessions: {} as Json }))
  for (let k = 0; k < count; k++) {
    rooms[k % 10]!.sessions[`${n}-${k}-${made(24)}`] = {
      first_message_index: 0,
      forwarded_count: 0,
      is_verified: true,
      session_data: { ephemeral: made(32), mac: made(8), ciphertext: made(525) },
    }
  }
  return { rooms: Object.fromEntries(rooms.map((room, n) => [`!room${n}:bench.localhost`, room])) }
}
