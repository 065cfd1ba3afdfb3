/** A room that the reader is invited to or knocked on: its stripped state. */
import type { Store } from '#/ports/store/store.ts'
import type { StrippedEvent } from '#/protocol/stripped/stripped-state.ts'
import { knockState } from '../answered-knock.ts'
import type { RoomAsk, RoomResult } from './room-result.ts'

/** The same of a room to which the reader is invited or at which they knock. */
export async function strippedResult(store: Store, ask: RoomAsk): Promise<RoomResult> {
  const { room, viewer, known, sent, direct, config, lists } = ask
  const { membership } = known
  const next = {
    upto: Math.max(ask.now, known.position),
    membership,
    timelineLimit: 0,
    required: config.required,
    members: new Set<string>(),
    direct,
  }
  if (sent?.membership === membership && sent.upto >= known.position) {
    const parts = sent.direct === direct ? undefined : [`"is_dm":${direct}`]
    return { parts, sent: next }
  }
  const row = await store.rooms.membership(room, viewer.userId)
  /* Something newer happened to it, which is for the next answer. */
  if (!row || row.stripped === null || row.forgotten) return { parts: undefined, sent: next }
  const parts = [
    `"bump_stamp":${known.position}`,
    `"membership":${JSON.stringify(membership)}`,
    '"initial":true',
  ]
  if (lists.length > 0) parts.push(`"lists":${JSON.stringify(lists)}`)
  const stripped = row.membership === membership ? row.stripped : await knockState(store, row.stripped, known)
  const events = JSON.parse(stripped) as StrippedEvent[]
  const name = textIn(events, 'm.room.name', 'name')
  if (name !== undefined) parts.push(`"name":${JSON.stringify(name)}`)
  const avatar = textIn(events, 'm.room.avatar', 'url')
  if (avatar !== undefined) parts.push(`"avatar":${JSON.stringify(avatar)}`)
  if (direct) parts.push('"is_dm":true')
  parts.push(`"${ask.stable ? 'stripped_state' : 'invite_state'}":${stripped}`)
  return { parts, sent: next }
}

function textIn(events: readonly StrippedEvent[], type: string, member: string): string | undefined {
  const event = events.find((one) => one.type === type && one.state_key === '')
  const value = event?.content[member]
  return typeof value === 'string' && value !== '' ? value : undefined
}
