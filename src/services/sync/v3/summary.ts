/** The room summary: counts and heroes. https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3sync */
import { Lru } from '#/base/lru.ts'
import type { EventRow } from '#/ports/store/events.ts'
import type { Store } from '#/ports/store/store.ts'
import { HERO_SCAN_MAX, SUMMARIES_MAX } from '../limits.ts'

/** Members named in a summary. */
const HEROES_MAX = 5

export interface Summary {
  readonly 'm.heroes'?: readonly string[]
  readonly 'm.joined_member_count': number
  readonly 'm.invited_member_count': number
}

/** What a room's summary is made of, the same for every reader. */
interface Facts {
  /** Position of the change of state up to which it holds. */
  readonly at: number
  readonly joined: number
  readonly invited: number
  /** Members to name the room after, one more than are named; absent where it has a name or an alias. */
  readonly heroes?: Heroes
}

interface Heroes {
  readonly present: readonly string[]
  readonly gone: readonly string[]
}

/** Summaries of rooms, worked out again only when the state of a room has changed. */
export class Summaries {
  readonly #store: Store
  readonly #facts = new Lru<number, Facts>(SUMMARIES_MAX)

  constructor(store: Store) {
    this.#store = store
  }

  /** Counts of the room, and members to name it after where it has neither name nor alias. */
  async of(room: number, userId: string, reads: Store = this.#store): Promise<Summary> {
    const { joined, invited, heroes } = await this.#factsOf(room, reads)
    const counts = { 'm.joined_member_count': joined, 'm.invited_member_count': invited }
    if (!heroes) return counts
    const others = (users: readonly string[]) => users.filter((user) => user !== userId)
    const present = others(heroes.present)
    const named = present.length > 0 ? present : others(heroes.gone)
    return { 'm.heroes': named.slice(0, HEROES_MAX), ...counts }
  }

  async #factsOf(room: number, { state, rooms }: Store): Promise<Facts> {
    const at = await state.lastChange(room)
    const known = this.#facts.get(room)
    if (known?.at === at) return known
    const [head, names] = await Promise.all([rooms.head(room), state.current(room, NAMES)])
    const heroes = names.some(hasName) ? undefined : heroesOf(await state.someMembers(room, HERO_SCAN_MAX))
    const counts = { at, joined: head?.joined ?? 0, invited: head?.invited ?? 0 }
    const facts = heroes ? { ...counts, heroes } : counts
    /* What was read may be of a later state; then the next look finds another position. */
    this.#facts.set(room, facts)
    return facts
  }
}

const NAMES = [
  ['m.room.name', ''],
  ['m.room.canonical_alias', ''],
] as const

function hasName(row: EventRow): boolean {
  const content = (JSON.parse(row.json) as { content: { name?: unknown; alias?: unknown } }).content
  const text = row.type === 'm.room.name' ? content.name : content.alias
  return typeof text === 'string' && text !== ''
}

/** The first members joined or invited; only where there are none, those who left. Never the reader. */
function heroesOf(members: readonly EventRow[]): Heroes {
  const present: string[] = []
  const gone: string[] = []
  for (const row of members) {
    if (row.stateKey === null) continue
    const { membership } = (JSON.parse(row.json) as { content: { membership?: unknown } }).content
    const list = membership === 'join' || membership === 'invite' ? present : gone
    if (list.length <= HEROES_MAX) list.push(row.stateKey)
  }
  return { present, gone }
}
