/**
 * Templates of make_join, make_leave and make_knock. The answer of a peer is never signed: only named fields are
 * taken from it, after everything that we know ourselves has been compared.
 */
import { type Result, refuse } from '../errors.ts'
import type { EventId } from '../ids/event-id.ts'
import type { RoomId } from '../ids/room-id.ts'
import type { UserId } from '../ids/user-id.ts'
import { isArray, isObject, type JsonObject, type JsonValue, member } from '../json/value.ts'
import type { RoomVersionRules } from '../room-version/rules.ts'
import type { EventFields } from './build.ts'
import { type Membership, stringOf } from './content.ts'
import { parsePdu } from './parse.ts'

/** What we asked the peer for. */
export interface TemplateRequest {
  readonly roomId: RoomId
  readonly userId: UserId
  readonly membership: Membership
  /** Milliseconds, ours. */
  readonly originServerTs: number
  /** v1 and v2: a fresh id of ours. */
  readonly eventId?: EventId
}

/**
 * Checks a peer's template and gives the fields of our own event. From the template come prev_events, auth_events,
 * depth and, of the content, `join_authorised_via_users_server`; everything else is ours.
 * @param content what we want in the content besides membership: displayname, avatar_url, reason
 * @returns rules `template.type`, `.sender`, `.state_key`, `.room_id`, `.membership`, `.content`, `format.*`
 */
export function fieldsFromTemplate(
  rules: RoomVersionRules,
  template: JsonValue,
  request: TemplateRequest,
  content: JsonObject,
): Result<EventFields> {
  if (!isObject(template)) return refuse('template.type', 'the template is not an object')
  const proposed = member(template, 'content')
  if (!isObject(proposed)) return refuse('template.content', 'content is not an object')
  if (stringOf(template, 'type') !== 'm.room.member') return refuse('template.type', 'not a member event')
  if (stringOf(template, 'sender') !== request.userId) return refuse('template.sender', 'not our user')
  if (stringOf(template, 'state_key') !== request.userId) return refuse('template.state_key', 'not our user')
  if (stringOf(template, 'room_id') !== request.roomId) return refuse('template.room_id', 'another room')
  if (stringOf(proposed, 'membership') !== request.membership) {
    return refuse('template.membership', `not ${request.membership}`)
  }
  const via = rules.auth.restricted ? stringOf(proposed, 'join_authorised_via_users_server') : undefined
  const ours: JsonObject = {
    ...content,
    membership: request.membership,
    ...(via === undefined ? {} : { join_authorised_via_users_server: via }),
  }
  // Parsed as an event of its version, so that references and depth are judged in one place.
  const probe = parsePdu(rules, {
    auth_events: member(template, 'auth_events') ?? null,
    content: ours,
    depth: member(template, 'depth') ?? null,
    ...(request.eventId === undefined ? {} : { event_id: request.eventId }),
    hashes: { sha256: '' },
    origin_server_ts: request.originServerTs,
    prev_events: member(template, 'prev_events') ?? null,
    room_id: request.roomId,
    sender: request.userId,
    signatures: {},
    state_key: request.userId,
    type: 'm.room.member',
  })
  if (!probe.ok) return probe
  const { authEvents, prevEvents, json } = probe.value
  return {
    ok: true,
    value: {
      type: 'm.room.member',
      sender: request.userId,
      stateKey: request.userId,
      content: ours,
      roomId: request.roomId,
      originServerTs: request.originServerTs,
      prevEvents,
      authEvents,
      depth: json['depth'] as EventFields['depth'],
      eventId: request.eventId,
      referenceHashOf: hashesOf(json['prev_events'], json['auth_events']),
    },
  }
}

/** Of references in pairs (v1 and v2), what the peer gave as the hash of each event. */
function hashesOf(...lists: (JsonValue | undefined)[]): (id: EventId) => string | undefined {
  const hashes = new Map<JsonValue, string>()
  for (const pair of lists.flatMap((list) => (isArray(list) ? list : []))) {
    const of = isArray(pair) ? pair[1] : undefined
    const sha256 = isObject(of) ? stringOf(of, 'sha256') : undefined
    if (isArray(pair) && sha256 !== undefined) hashes.set(pair[0]!, sha256)
  }
  return (id) => hashes.get(id)
}
