/** Devices. https://spec.matrix.org/v1.16/client-server-api/#device-management */
import type { Requester } from '#/http/requester.ts'
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import type { Uia, UiaFlow } from '#/http/uia.ts'
import type { JsonValue } from '#/protocol/json/value.ts'
import type { Device, DeviceService } from '#/services/accounts/devices.ts'
import {
  DEVICE_ID_CHARS_MAX,
  DEVICE_NAME_CHARS_MAX,
  DEVICES_DELETED_MAX,
} from '#/services/accounts/limits.ts'
import type { Sessions } from '#/services/accounts/sessions.ts'

export interface DeviceDeps {
  readonly devices: DeviceService
  readonly sessions: Sessions
  readonly uia: Uia
  /** Flows that confirm a sensitive change. */
  readonly reauthFlows: () => readonly UiaFlow[]
}

const ONE = {
  path: '/_matrix/client/v3/devices/:deviceId',
  also: ['/_matrix/client/r0/devices/:deviceId'],
  auth: 'user',
  limit: 'none',
  servlet: 'DeviceRestServlet',
} as const

function deviceAnswer({ deviceId, displayName, seen }: Device): object {
  return {
    device_id: deviceId,
    ...(displayName === undefined ? {} : { display_name: displayName }),
    ...(seen === undefined ? {} : { last_seen_ip: seen.ip, last_seen_ts: seen.ts }),
  }
}

/** Deletes devices after the holder of the account has confirmed it. */
async function deleteDevices(
  d: DeviceDeps,
  who: Requester,
  devices: readonly string[],
  auth: JsonValue | undefined,
  remote: string,
): Promise<object> {
  const names = [...new Set(devices)].sort()
  const operation = `delete devices ${names.join(' ')}`
  const { userId, deviceId } = who
  const asked = { flows: d.reauthFlows(), auth, operation, userId, deviceId, remote, skippable: true }
  const proof = await d.uia.run(asked)
  if (!proof.done) return proof.reply
  await d.sessions.end(who.userId, { devices: names })
  await d.uia.finish(proof.session)
  return {}
}

export const deviceRoutes = (d: DeviceDeps): Route[] => [
  route({
    method: 'GET',
    path: '/_matrix/client/v3/devices',
    also: ['/_matrix/client/r0/devices'],
    spec: 'client-server-api/#get_matrixclientv3devices',
    operations: ['getDevices'],
    auth: 'user',
    limit: 'none',
    servlet: 'DevicesRestServlet',
    handle: async ({ who }) => ({ devices: (await d.devices.all(who.userId)).map(deviceAnswer) }),
  }),
  route({
    ...ONE,
    method: 'GET',
    spec: 'client-server-api/#get_matrixclientv3devicesdeviceid',
    operations: ['getDevice'],
    handle: async ({ who, params }) => deviceAnswer(await d.devices.one(who.userId, params.deviceId)),
  }),
  route({
    ...ONE,
    method: 'PUT',
    spec: 'client-server-api/#put_matrixclientv3devicesdeviceid',
    operations: ['updateDevice'],
    body: t.object({ display_name: t.opt(t.nullable(t.text(DEVICE_NAME_CHARS_MAX))) }),
    emptyBody: true,
    async handle({ who, params, body }) {
      const name = body.display_name
      if (typeof name === 'string') await d.devices.rename(who.userId, params.deviceId, name)
      else await d.devices.one(who.userId, params.deviceId)
      return {}
    },
  }),
  route({
    ...ONE,
    method: 'DELETE',
    spec: 'client-server-api/#delete_matrixclientv3devicesdeviceid',
    operations: ['deleteDevice'],
    body: t.object({ auth: t.opt(t.json) }),
    emptyBody: true,
    handle: ({ who, params, body, request }) =>
      deleteDevices(d, who, [params.deviceId], body.auth, request.remote),
  }),
  route({
    method: 'POST',
    path: '/_matrix/client/v3/delete_devices',
    also: ['/_matrix/client/r0/delete_devices'],
    spec: 'client-server-api/#post_matrixclientv3delete_devices',
    operations: ['deleteDevices'],
    auth: 'user',
    limit: 'none',
    servlet: 'DeleteDevicesRestServlet',
    body: t.object({
      devices: t.array(t.text(DEVICE_ID_CHARS_MAX), DEVICES_DELETED_MAX),
      auth: t.opt(t.json),
    }),
    handle: ({ who, body, request }) => deleteDevices(d, who, body.devices, body.auth, request.remote),
  }),
]
