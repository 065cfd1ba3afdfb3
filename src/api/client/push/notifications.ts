/** Notifications and pushers. https://spec.matrix.org/v1.19/client-server-api/#push-notifications */
import { jsonText } from '#/http/reply.ts'
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { PUSHER_NAME_CHARS_MAX } from '#/services/push/limits.ts'
import type { Notifications } from '#/services/push/notifications.ts'
import type { Pushers } from '#/services/push/pushers.ts'

export interface NotificationDeps {
  readonly notifications: Notifications
  readonly pushers: Pushers
}

const COMMON = { auth: 'user', limit: 'none' } as const

const PUSHER_BODY = t.object({
  pushkey: t.text(),
  kind: t.nullable(t.text()),
  app_id: t.text(),
  app_display_name: t.opt(t.text(PUSHER_NAME_CHARS_MAX)),
  device_display_name: t.opt(t.text(PUSHER_NAME_CHARS_MAX)),
  profile_tag: t.opt(t.nullable(t.text(PUSHER_NAME_CHARS_MAX))),
  lang: t.opt(t.text(PUSHER_NAME_CHARS_MAX)),
  data: t.opt(t.json),
  append: t.opt(t.bool),
})

export const notificationRoutes = (d: NotificationDeps): Route[] => [
  route({
    ...COMMON,
    method: 'GET',
    path: '/_matrix/client/v3/notifications',
    also: ['/_matrix/client/r0/notifications'],
    spec: 'client-server-api/#get_matrixclientv3notifications',
    operations: ['getNotifications'],
    servlet: 'NotificationsServlet',
    query: t.object({ from: t.opt(t.text()), limit: t.opt(t.int(1)), only: t.opt(t.text()) }),
    async handle({ who, query }) {
      const text = await d.notifications.list({
        userId: who.userId,
        deviceId: who.deviceId,
        from: query.from,
        limit: query.limit,
        onlyHighlights: query.only === 'highlight',
      })
      return jsonText(text)
    },
  }),
  route({
    ...COMMON,
    method: 'GET',
    path: '/_matrix/client/v3/pushers',
    also: ['/_matrix/client/r0/pushers'],
    spec: 'client-server-api/#get_matrixclientv3pushers',
    operations: ['getPushers'],
    servlet: 'PushersRestServlet',
    handle: async ({ who }) => ({ pushers: await d.pushers.list(who.userId) }),
  }),
  route({
    ...COMMON,
    method: 'POST',
    path: '/_matrix/client/v3/pushers/set',
    also: ['/_matrix/client/r0/pushers/set'],
    spec: 'client-server-api/#post_matrixclientv3pushersset',
    operations: ['postPusher'],
    servlet: 'PushersSetRestServlet',
    body: PUSHER_BODY,
    async handle({ who, body }) {
      if (body.kind === null) {
        await d.pushers.delete(who.userId, body.app_id, body.pushkey)
        return {}
      }
      await d.pushers.set(who.userId, who.deviceId ?? '', {
        appId: body.app_id,
        pushkey: body.pushkey,
        kind: body.kind,
        appDisplayName: body.app_display_name,
        deviceDisplayName: body.device_display_name,
        profileTag: body.profile_tag ?? undefined,
        lang: body.lang,
        data: body.data,
        append: body.append ?? false,
      })
      return {}
    },
  }),
]
