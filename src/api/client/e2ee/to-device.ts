/** Messages to devices. https://spec.matrix.org/v1.19/client-server-api/#send-to-device-messaging */
import type { RateLimits } from '#/base/rate-limit.ts'
import type { Clock } from '#/base/world.ts'
import type { LimitName } from '#/http/limit-names.ts'
import { type Route, route } from '#/http/route.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseUserId } from '#/protocol/ids/user-id.ts'
import type { Walk } from '#/protocol/json/members.ts'
import { isObject, type JsonObject, member } from '#/protocol/json/value.ts'
import {
  TO_DEVICE_BODY_BYTES_MAX,
  TO_DEVICE_CONTENT_BYTES_MAX,
  TO_DEVICE_TXN_CHARS_MAX,
  TO_DEVICE_TYPE_BYTES_MAX,
} from '#/services/e2ee/limits.ts'
import type { Addressed, KeyRequest, ToDeviceService } from '#/services/e2ee/to-device.ts'
import { isAllowed } from '../../rate.ts'
import { readMembers } from './slices.ts'

export interface ToDeviceRouteDeps {
  readonly toDevice: ToDeviceService
  readonly clock: Clock
  readonly limits: RateLimits<LimitName>
}

const KEY_REQUEST = 'm.room_key_request'

/** Neither engine stores it alike. */
function eventType(text: string): string | undefined {
  return Buffer.byteLength(text) <= TO_DEVICE_TYPE_BYTES_MAX && !text.includes('\0') ? text : undefined
}

/** Contents stand under `messages`, user and device. */
const CONTENTS: Walk = (path) => (path[0] !== 'messages' ? 'skip' : path.length < 3 ? 'enter' : 'give')

/** The request for keys that a message is about; undefined where it is not said as it should be. */
function keyRequestOf(content: JsonObject): KeyRequest | undefined {
  const action = member(content, 'action')
  const device = member(content, 'requesting_device_id')
  const id = member(content, 'request_id')
  const cancels = action === 'request_cancellation'
  if (!(cancels || action === 'request') || typeof device !== 'string' || typeof id !== 'string')
    return undefined
  return { device, id, cancels }
}

async function messagesOf(clock: Clock, type: string, bytes: Uint8Array): Promise<Addressed[]> {
  const messages: Addressed[] = []
  let given = false
  const walk: Walk = (path) => {
    given ||= path[0] === 'messages'
    return CONTENTS(path)
  }
  await readMembers(
    clock,
    bytes,
    { walk, valueBytesMax: TO_DEVICE_CONTENT_BYTES_MAX },
    (path, value, content) => {
      if (!isObject(value)) throw new MatrixError('M_BAD_JSON', 'A message to a device must be an object.')
      const [, user = '', device = ''] = path
      /* A name that is none of a user has no devices, and no device has a NUL in its name. */
      const isName = parseUserId(user) !== undefined && !`${user}${device}`.includes('\0')
      const request = type === KEY_REQUEST ? keyRequestOf(value) : undefined
      if (isName) messages.push({ user, device, content: content.trim(), request })
    },
  )
  if (!given) throw new MatrixError('M_MISSING_PARAM', 'The body lacks messages.')
  return messages
}

export const toDeviceRoutes = (d: ToDeviceRouteDeps): Route[] => [
  route({
    method: 'PUT',
    path: '/_matrix/client/v3/sendToDevice/:eventType/:txnId',
    also: [
      '/_matrix/client/r0/sendToDevice/:eventType/:txnId',
      '/_matrix/client/unstable/sendToDevice/:eventType/:txnId',
    ],
    spec: 'client-server-api/#put_matrixclientv3sendtodeviceeventtypetxnid',
    operations: ['sendToDevice'],
    auth: 'guest',
    limit: 'service',
    servlet: 'SendToDeviceRestServlet',
    params: {
      eventType,
      txnId: (text: string) => (text.length <= TO_DEVICE_TXN_CHARS_MAX ? text : undefined),
    },
    body: 'bytes',
    bodyBytesMax: TO_DEVICE_BODY_BYTES_MAX,
    async handle({ who, params, body }) {
      let messages = await messagesOf(d.clock, params.eventType, body)
      if (params.eventType === KEY_REQUEST) {
        /* As in Synapse, requests beyond the limit are left out without an error; one's own devices do not count. */
        const key = `${who.userId} ${who.deviceId ?? ''}`
        const refused = new Set<string>()
        for (const user of new Set(messages.map((message) => message.user))) {
          if (user !== who.userId && !isAllowed(d.limits, who, 'rc_key_requests', key)) refused.add(user)
        }
        if (refused.size > 0) messages = messages.filter(({ user }) => !refused.has(user))
      }
      const sender = { userId: who.userId, deviceId: who.deviceId ?? '' }
      await d.toDevice.send(sender, params.eventType, params.txnId, messages)
      return {}
    },
  }),
]
