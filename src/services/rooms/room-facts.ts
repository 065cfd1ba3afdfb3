/** What an event changes of the facts by which lists of rooms are filtered and sorted. */
import type { RoomFactsChange, RoomFactsOp } from '#/ports/store/room-facts.ts'
import type { Pdu } from '#/protocol/event/pdu.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import { ROOM_FACT_CHARS_MAX } from './limits.ts'

/**
 * Types of events that count as activity of a room, for its place in a client's list.
 * https://github.com/matrix-org/matrix-spec-proposals/pull/4186
 */
export const BUMP_TYPES: ReadonlySet<string> = new Set([
  'm.room.create',
  'm.room.message',
  'm.room.encrypted',
  'm.sticker',
  'm.call.invite',
  'm.poll.start',
  'm.beacon_info',
])

/** What an accepted live event changes; undefined when it changes nothing. */
export function roomFactsChange(
  event: { readonly type: string; readonly stateKey: string | null | undefined },
  content: () => JsonObject,
): RoomFactsChange | undefined {
  const { type, stateKey } = event
  const state = stateKey === '' ? stateFacts(type, content) : undefined
  if (!BUMP_TYPES.has(type)) return state
  return { ...state, bump: true }
}

function stateFacts(type: string, content: () => JsonObject): RoomFactsChange | undefined {
  if (type === 'm.room.create') return { roomType: textOf(content()['type']) }
  if (type === 'm.room.name') return { name: textOf(content()['name']) }
  if (type === 'm.room.encryption') return { encrypted: true }
  return undefined
}

function textOf(value: unknown): string | null {
  if (typeof value !== 'string' || value === '') return null
  if (value.length <= ROOM_FACT_CHARS_MAX) return value
  /* Half a surrogate pair could not be stored. */
  const whole = value.codePointAt(ROOM_FACT_CHARS_MAX - 1)! > 0xffff
  return value.slice(0, whole ? ROOM_FACT_CHARS_MAX - 1 : ROOM_FACT_CHARS_MAX)
}

/** The operation for an event that a plan inserts. */
export function roomFactsOp(room: number | 'new', pdu: Pdu): RoomFactsOp | undefined {
  const change = roomFactsChange(pdu, () => pdu.content)
  return change && { op: 'room.facts', room, ...change }
}
