/** Reporting content. https://spec.matrix.org/v1.19/client-server-api/#reporting-content */
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { parseEventId } from '#/protocol/ids/event-id.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import { parseUserId } from '#/protocol/ids/user-id.ts'
import { REPORT_REASON_CHARS_MAX } from '#/services/rooms/limits.ts'
import type { ReportService } from '#/services/rooms/reports.ts'

export interface ReportingDeps {
  readonly reports: ReportService
}

const reason = t.text(REPORT_REASON_CHARS_MAX)
const facts = { method: 'POST', auth: 'user', limit: 'rc_reports', strictJson: true } as const

export const reportingRoutes = (d: ReportingDeps): Route[] => [
  route({
    ...facts,
    path: '/_matrix/client/v3/rooms/:roomId/report/:eventId',
    also: ['/_matrix/client/r0/rooms/:roomId/report/:eventId'],
    spec: 'client-server-api/#post_matrixclientv3roomsroomidreporteventid',
    operations: ['reportEvent'],
    servlet: 'ReportEventRestServlet',
    params: { roomId: parseRoomId, eventId: parseEventId },
    body: t.object({ reason: t.opt(reason), score: t.opt(t.int()) }),
    async handle({ who, params, body }) {
      const { roomId, eventId } = params
      await d.reports.event(roomId, eventId, { ...body, reason: body.reason, reporter: who.userId })
      return {}
    },
  }),
  route({
    ...facts,
    path: '/_matrix/client/v3/rooms/:roomId/report',
    also: ['/_matrix/client/unstable/org.matrix.msc4151/rooms/:roomId/report'],
    spec: 'client-server-api/#post_matrixclientv3roomsroomidreport',
    operations: ['reportRoom'],
    servlet: 'ReportRoomRestServlet',
    params: { roomId: parseRoomId },
    body: t.object({ reason }),
    async handle({ who, params, body }) {
      await d.reports.room(params.roomId, { reporter: who.userId, reason: body.reason })
      return {}
    },
  }),
  route({
    ...facts,
    path: '/_matrix/client/v3/users/:userId/report',
    also: ['/_matrix/client/unstable/org.matrix.msc4260/users/:userId/report'],
    spec: 'client-server-api/#post_matrixclientv3usersuseridreport',
    operations: ['reportUser'],
    servlet: 'ReportUserRestServlet',
    params: { userId: parseUserId },
    body: t.object({ reason }),
    async handle({ who, params, body }) {
      await d.reports.user(params.userId, { reporter: who.userId, reason: body.reason })
      return {}
    },
  }),
]
