/** Dehydrated devices. https://github.com/matrix-org/matrix-spec-proposals/pull/3814 */
import { jsonText, type Reply } from '#/http/reply.ts'
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { DEVICE_ID_CHARS_MAX, DEVICE_NAME_CHARS_MAX } from '#/services/accounts/limits.ts'
import type { DehydratedDevices } from '#/services/e2ee/dehydrated.ts'
import { DEHYDRATED_BYTES_MAX, DEHYDRATED_PAGE_MAX } from '#/services/e2ee/limits.ts'
import { messageJson } from '#/services/e2ee/message-json.ts'

export interface DehydratedRouteDeps {
  readonly dehydrated: DehydratedDevices
}

const PATH = '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device'
const COMMON = { spec: 'MSC3814', auth: 'user', limit: 'none' } as const

const BODY = t.object({
  device_id: t.text(DEVICE_ID_CHARS_MAX),
  device_data: t.json,
  initial_device_display_name: t.opt(t.nullable(t.text(DEVICE_NAME_CHARS_MAX))),
  device_keys: t.json,
  one_time_keys: t.opt(t.json),
  fallback_keys: t.opt(t.json),
})

/** A page of messages; tokens are positions. */
async function events(
  d: DehydratedRouteDeps,
  who: { readonly userId: string },
  deviceId: string,
  from: string | undefined,
  limit: number | undefined,
  always: boolean,
): Promise<Reply> {
  const after = from === undefined ? 0 : Number(from.slice(1))
  if (!Number.isSafeInteger(after) || after < 0 || (from !== undefined && from !== `d${after}`)) {
    throw new MatrixError('M_INVALID_PARAM', 'This is not a token of a page of messages.')
  }
  const { rows, next } = await d.dehydrated.events(who.userId, deviceId, after, limit ?? DEHYDRATED_PAGE_MAX)
  const last = always ? (rows.at(-1)?.position ?? after) : undefined
  const token = next ?? last
  const batch = token === undefined ? '' : `,"next_batch":"d${token}"`
  return jsonText(`{"events":[${rows.map(messageJson).join(',')}]${batch}}`)
}

export const dehydratedRoutes = (d: DehydratedRouteDeps): Route[] => [
  route({
    ...COMMON,
    method: 'PUT',
    path: PATH,
    servlet: 'DehydratedDeviceV2Servlet',
    body: BODY,
    strictJson: true,
    async handle({ who, body }) {
      const data = JSON.stringify(body.device_data)
      if (typeof body.device_data['algorithm'] !== 'string') {
        throw new MatrixError('M_BAD_JSON', 'device_data lacks an algorithm.')
      }
      if (Buffer.byteLength(data) > DEHYDRATED_BYTES_MAX) {
        throw new MatrixError('M_TOO_LARGE', 'The data of the device are too large.')
      }
      if (
        body.device_id === '' ||
        `${body.device_id}${body.initial_device_display_name ?? ''}`.includes('\0')
      ) {
        throw new MatrixError('M_INVALID_PARAM', 'This cannot be the name of a device.')
      }
      await d.dehydrated.put(who.userId, {
        device: body.device_id,
        data,
        displayName: body.initial_device_display_name ?? undefined,
        keys: {
          deviceKeys: body.device_keys,
          oneTimeKeys: body.one_time_keys ?? {},
          fallbackKeys: body.fallback_keys ?? {},
        },
      })
      return { device_id: body.device_id }
    },
  }),
  route({
    ...COMMON,
    method: 'GET',
    path: PATH,
    servlet: 'DehydratedDeviceV2Servlet',
    async handle({ who }) {
      const { device, data } = await d.dehydrated.of(who.userId)
      return jsonText(`{"device_id":${JSON.stringify(device)},"device_data":${data}}`)
    },
  }),
  route({
    ...COMMON,
    method: 'DELETE',
    path: PATH,
    servlet: 'DehydratedDeviceV2Servlet',
    handle: async ({ who }) => ({ device_id: await d.dehydrated.delete(who.userId) }),
  }),
  route({
    ...COMMON,
    method: 'GET',
    path: `${PATH}/:deviceId/events`,
    servlet: 'DehydratedDeviceEventsServlet',
    query: t.object({ from: t.opt(t.text(50)), limit: t.opt(t.int(0)) }),
    handle: ({ who, params, query }) => events(d, who, params.deviceId, query.from, query.limit, false),
  }),
  /* An earlier draft, which clients still use: a token always comes, and an empty page is the end. */
  route({
    ...COMMON,
    method: 'POST',
    path: `${PATH}/:deviceId/events`,
    servlet: 'DehydratedDeviceEventsServlet',
    query: t.object({ limit: t.opt(t.int(0)) }),
    body: t.object({ next_batch: t.opt(t.nullable(t.text(50))) }),
    emptyBody: true,
    handle: ({ who, params, query, body }) =>
      events(d, who, params.deviceId, body.next_batch ?? undefined, query.limit, true),
  }),
]
