/** Receipts and read markers. https://spec.matrix.org/v1.19/client-server-api/#receipts */
import { type Route, route } from '#/http/route.ts'
import { t } from '#/http/schema.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { parseEventId } from '#/protocol/ids/event-id.ts'
import { parseRoomId } from '#/protocol/ids/room-id.ts'
import { type JsonObject, member } from '#/protocol/json/value.ts'
import { THREAD_CHARS_MAX } from '#/services/ephemeral/limits.ts'
import type { Marker, Receipts } from '#/services/ephemeral/receipts.ts'
import type { OnActive } from './presence.ts'

export interface ReceiptDeps {
  readonly receipts: Receipts
  readonly onActive: OnActive
}

const KINDS = ['m.read', 'm.read.private', 'm.fully_read'] as const

function kindOf(text: string): Marker['kind'] {
  const kind = KINDS.find((known) => known === text)
  if (!kind) throw new MatrixError('M_INVALID_PARAM', `A receipt is one of ${KINDS.join(', ')}.`)
  return kind
}

function threadOf(body: JsonObject, kind: Marker['kind']): string | undefined {
  const thread = member(body, 'thread_id')
  if (thread === undefined) return undefined
  if (typeof thread !== 'string' || thread === '' || thread.length > THREAD_CHARS_MAX) {
    throw new MatrixError('M_INVALID_PARAM', 'thread_id must be "main" or the id of an event.')
  }
  if (kind === 'm.fully_read') {
    throw new MatrixError('M_INVALID_PARAM', 'm.fully_read is for the whole room and takes no thread_id.')
  }
  return thread
}

/** The markers that a body names. Others are left to servers that know them. */
function markersOf(body: JsonObject): Marker[] {
  const markers: Marker[] = []
  for (const kind of KINDS) {
    const text = member(body, kind)
    if (text === undefined || text === null) continue
    const eventId = typeof text === 'string' ? parseEventId(text) : undefined
    if (eventId === undefined) throw new MatrixError('M_INVALID_PARAM', `${kind} must be the id of an event.`)
    markers.push({ kind, eventId })
  }
  return markers
}

export const receiptRoutes = (d: ReceiptDeps): Route[] => [
  route({
    method: 'POST',
    path: '/_matrix/client/v3/rooms/:roomId/receipt/:receiptType/:eventId',
    also: ['/_matrix/client/r0/rooms/:roomId/receipt/:receiptType/:eventId'],
    spec: 'client-server-api/#post_matrixclientv3roomsroomidreceiptreceipttypeeventid',
    operations: ['postReceipt'],
    auth: 'user',
    limit: 'none',
    servlet: 'ReceiptRestServlet',
    params: { roomId: parseRoomId, eventId: parseEventId },
    body: t.json,
    emptyBody: true,
    async handle({ who, params, body }) {
      const kind = kindOf(params.receiptType)
      const thread = threadOf(body, kind)
      await d.receipts.mark(who.userId, params.roomId, [{ kind, eventId: params.eventId, thread }])
      d.onActive(who)
      return {}
    },
  }),
  route({
    method: 'POST',
    path: '/_matrix/client/v3/rooms/:roomId/read_markers',
    also: ['/_matrix/client/r0/rooms/:roomId/read_markers'],
    spec: 'client-server-api/#post_matrixclientv3roomsroomidread_markers',
    operations: ['setReadMarker'],
    auth: 'user',
    limit: 'none',
    servlet: 'ReadMarkerRestServlet',
    params: { roomId: parseRoomId },
    body: t.json,
    async handle({ who, params, body }) {
      await d.receipts.mark(who.userId, params.roomId, markersOf(body))
      d.onActive(who)
      return {}
    },
  }),
]
