/** The room summary: counts and heroes. https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3sync */
import type { EventRow } from '#/ports/store/events.ts'
import type { Store } from '#/ports/store/store.ts'
import { HERO_SCAN_MAX } from '../limits.ts'

/** Members named in a summary. */
const HEROES_MAX = 5

export interface Summary {
  readonly 'm.heroes'?: readonly string[]
  readonly 'm.joined_member_count': number
  readonly 'm.invited_member_count': number
}

/** Counts of the room, and members to name it after where it has neither name nor alias. */
export async function summaryOf(store: Store, room: number, userId: string): Promise<Summary> {
  const head = await store.rooms.head(room)
  const counts = {
    'm.joined_member_count': head?.joined ?? 0,
    'm.invited_member_count': head?.invited ?? 0,
  }
  const names = await store.state.current(room, [
    ['m.room.name', ''],
    ['m.room.canonical_alias', ''],
  ])
  if (names.some(hasName)) return counts
  return { 'm.heroes': heroesOf(await store.state.someMembers(room, HERO_SCAN_MAX), userId), ...counts }
}

function hasName(row: EventRow): boolean {
  const content = (JSON.parse(row.json) as { content: { name?: unknown; alias?: unknown } }).content
  const text = row.type === 'm.room.name' ? content.name : content.alias
  return typeof text === 'string' && text !== ''
}

/** The first members joined or invited; only where there are none, those who left. Never the reader. */
export function heroesOf(members: readonly EventRow[], userId: string): string[] {
  return heroEvents(members, userId).map((row) => row.stateKey ?? '')
}

/** The member events of the heroes. */
export function heroEvents(members: readonly EventRow[], userId: string): EventRow[] {
  const present: EventRow[] = []
  const gone: EventRow[] = []
  for (const row of members) {
    if (row.stateKey === null || row.stateKey === userId) continue
    const { membership } = (JSON.parse(row.json) as { content: { membership?: unknown } }).content
    if (membership === 'join' || membership === 'invite') present.push(row)
    else gone.push(row)
  }
  return (present.length > 0 ? present : gone).slice(0, HEROES_MAX)
}
