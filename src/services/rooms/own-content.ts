/**
 * What this server asks of events of its own users beyond the rules of rooms: what would do something else than its
 * sender meant, here or on other servers, is refused while it can still be said why.
 */
import { compileServerAcl, serverMayTakePart } from '#/protocol/acl/server-acl.ts'
import { MatrixError } from '#/protocol/errors.ts'
import { serverOf, type UserId } from '#/protocol/ids/user-id.ts'
import { type JsonObject, member } from '#/protocol/json/value.ts'

/** An event that is about to be sent, or will be later. */
export interface OwnEvent {
  /** Absent for a room that is being made. */
  readonly roomId?: string | undefined
  readonly sender: UserId
  readonly type: string
  /** Absent for message events. */
  readonly stateKey?: string | undefined
  readonly content: JsonObject
}

/** Whether a state event of a user only takes them out of the room, which nothing may keep them from. */
export function isLeaving(userId: string, type: string, stateKey: string, membership: unknown): boolean {
  return type === 'm.room.member' && stateKey === userId && membership === 'leave'
}

/** Throws M_INVALID_PARAM and M_BAD_JSON with a sentence that says what is wrong. */
export function refuseUnmeant(event: OwnEvent): void {
  const { type, stateKey, content } = event
  if (type === 'm.room.redaction') refuseRedaction(event)
  if (type === 'm.room.tombstone' && event.roomId !== undefined) refuseTombstone(event.roomId, content)
  if (stateKey !== '') return
  if (type === 'm.room.server_acl') refuseAcl(event)
  if (type === 'm.room.retention') refuseRetention(content)
}

/** As state other servers might apply a redaction that this one does not; without a target it redacts nothing. */
function refuseRedaction({ stateKey, content }: OwnEvent): void {
  if (stateKey !== undefined) {
    throw new MatrixError('M_INVALID_PARAM', 'A redaction is sent as a message, not as state.')
  }
  if (typeof member(content, 'redacts') !== 'string') {
    throw new MatrixError('M_BAD_JSON', 'A redaction names the event that it redacts in `redacts`.')
  }
}

/** A tombstone that leads back into its own room would send clients round in circles. */
function refuseTombstone(roomId: string, content: JsonObject): void {
  if (member(content, 'replacement_room') === roomId) {
    throw new MatrixError('M_INVALID_PARAM', 'A room cannot be replaced by itself.')
  }
}

/** Nobody of this server could take part any more, nor take the list back. */
function refuseAcl({ sender, content }: OwnEvent): void {
  if (!serverMayTakePart(compileServerAcl(content), serverOf(sender))) {
    throw new MatrixError('M_INVALID_PARAM', 'This list of servers would shut out your own server.')
  }
}

/** https://element-hq.github.io/synapse/latest/message_retention_policies.html */
function refuseRetention(content: JsonObject): void {
  const [least, most] = [lifetimeOf(content, 'min_lifetime'), lifetimeOf(content, 'max_lifetime')]
  if (least !== undefined && most !== undefined && least > most) {
    throw new MatrixError('M_BAD_JSON', '`min_lifetime` is greater than `max_lifetime`.')
  }
}

/** Milliseconds. */
function lifetimeOf(content: JsonObject, key: 'min_lifetime' | 'max_lifetime'): number | undefined {
  const value = member(content, key)
  if (value === undefined || value === null) return undefined
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new MatrixError('M_BAD_JSON', `\`${key}\` is a number of milliseconds.`)
}
