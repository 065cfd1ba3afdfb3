/** The room summary: counts and heroes. https://spec.matrix.org/v1.16/client-server-api/#get_matrixclientv3sync */
import { Lru } from '#/base/lru.ts'
import type { EventRow } from '#/ports/store/events.ts'
import type { Store } from '#/ports/store/store.ts'
import { HERO_PAGE, HERO_SCAN_MAX, SUMMARIES_MAX } from '../limits.ts'
import { membershipOf } from '../own-membership.ts'

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
  /** Members to name the room after, one more than are named; absent where it has a name. */
  readonly heroes?: Heroes
  readonly hasAlias: boolean
}

interface Heroes {
  readonly present: readonly string[]
  readonly gone: readonly string[]
}

/** Summaries of rooms, worked out again only when the state of a room has changed. */
export class Summaries {
  readonly #store: Store
  readonly #facts = new Lru<number, Facts>(SUMMARIES_MAX)

  readonly #stop: () => void

  constructor(store: Store) {
    this.#store = store
    this.#stop = store.onChange((changes) => {
      /* A redaction may take a room's name, which is no change of its state. */
      for (const { room, event } of changes) {
        if (room !== undefined && event?.type === 'm.room.redaction') this.#facts.delete(room)
      }
    })
  }

  close(): void {
    this.#stop()
  }

  /** Counts of the room, and members to name it after where it has neither name nor alias. */
  async of(room: number, userId: string, reads: Store = this.#store): Promise<Summary> {
    const { hasAlias, ...facts } = await this.#factsOf(room, reads)
    return summaryOf(hasAlias ? { ...facts, heroes: undefined } : facts, userId)
  }

  /** The same with members also where the room has an alias, for clients that do not ask for it. */
  async ofNameless(room: number, userId: string): Promise<Summary> {
    return summaryOf(await this.#factsOf(room, this.#store), userId)
  }

  async #factsOf(room: number, { state, rooms }: Store): Promise<Facts> {
    const at = await state.lastChange(room)
    const known = this.#facts.get(room)
    if (known?.at === at) return known
    const [head, names] = await Promise.all([rooms.head(room), state.current(room, NAMES)])
    const named = names.filter(hasName).map(({ type }) => type)
    const hasAlias = named.includes('m.room.canonical_alias')
    const counts = { at, joined: head?.joined ?? 0, invited: head?.invited ?? 0, hasAlias }
    const facts = named.includes('m.room.name') ? counts : { ...counts, heroes: await heroesOf(state, room) }
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

function summaryOf(
  { joined, invited, heroes }: Pick<Facts, 'joined' | 'invited'> & { readonly heroes?: Heroes | undefined },
  userId: string,
): Summary {
  const counts = { 'm.joined_member_count': joined, 'm.invited_member_count': invited }
  if (!heroes) return counts
  const others = (users: readonly string[]) => users.filter((user) => user !== userId)
  const present = others(heroes.present)
  const named = present.length > 0 ? present : others(heroes.gone)
  return { 'm.heroes': named.slice(0, HEROES_MAX), ...counts }
}

/** The first members joined or invited, and for rooms where there are none those who left. */
async function heroesOf(state: Store['state'], room: number): Promise<Heroes> {
  const present: string[] = []
  const gone: string[] = []
  let after = 0
  for (let scanned = 0; scanned < HERO_SCAN_MAX; scanned += HERO_PAGE) {
    const members = await state.someMembers(room, HERO_PAGE, after)
    for (const row of members) {
      if (row.stateKey === null) continue
      const membership = membershipOf(row)
      const list = membership === 'join' || membership === 'invite' ? present : gone
      if (membership !== 'knock' && list.length <= HEROES_MAX) list.push(row.stateKey)
    }
    const last = members.at(-1)
    if (!last || members.length < HERO_PAGE || present.length > HEROES_MAX) break
    after = last.nid
  }
  return { present, gone }
}
