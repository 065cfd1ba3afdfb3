/** What is sent and asked without a client library. */
import type { LiveServer } from '../../support/live-server.ts'
import { type NioLogin, passwordOf } from './devices.ts'

const V3 = '/_matrix/client/v3'

/** Logs in by password; a device id that is known is taken over. */
export async function rawLogin(server: LiveServer, name: string, deviceId?: string): Promise<NioLogin> {
  const session = await server.call('POST', `${V3}/login`, {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: name },
    password: passwordOf(name),
    ...(deviceId === undefined ? {} : { device_id: deviceId }),
  })
  return {
    userId: session['user_id'] as string,
    deviceId: session['device_id'] as string,
    accessToken: session['access_token'] as string,
  }
}

/** One to-device message to one device, without encryption. */
export async function rawToDevice(
  server: LiveServer,
  from: NioLogin,
  to: { readonly userId: string; readonly deviceId: string },
  message: { readonly type: string; readonly txn: string; readonly content: object },
): Promise<void> {
  const messages = { [to.userId]: { [to.deviceId]: message.content } }
  const path = `${V3}/sendToDevice/${message.type}/${message.txn}`
  await server.call('PUT', path, { messages }, from.accessToken)
}

/** Takes a one-time key of a device. @returns its id and the key, nothing when there is none. */
export async function rawClaim(
  server: LiveServer,
  by: NioLogin,
  of: { readonly userId: string; readonly deviceId: string },
): Promise<{ id: string; key: string; fallback: boolean } | undefined> {
  const wanted = { one_time_keys: { [of.userId]: { [of.deviceId]: 'signed_curve25519' } } }
  const answer = await server.call('POST', `${V3}/keys/claim`, wanted, by.accessToken)
  const users = answer['one_time_keys'] as Record<
    string,
    Record<string, Record<string, { key: string; fallback?: boolean }>>
  >
  const [found] = Object.entries(users[of.userId]?.[of.deviceId] ?? {})
  return found && { id: found[0], key: found[1].key, fallback: found[1].fallback === true }
}
