/** Rooms that spaces name as their children. https://spec.matrix.org/v1.16/client-server-api/#mspacechild */
import type { EventRow } from '#/ports/store/events.ts'
import type { Store } from '#/ports/store/store.ts'
import type { ActiveUser } from '../active-user.ts'
import type { FactsCache } from './facts-cache.ts'
import { STATE_READ_MAX } from './limits.ts'

export interface SpaceRooms {
  /** Ids of the rooms. */
  readonly rooms: ReadonlySet<string>
  /** Another text whenever the rooms may be others. */
  readonly version: string
}

interface Children {
  readonly rooms: ReadonlySet<string>
  /** Since when they are these. */
  readonly since: number
  /** Up to where that is known. */
  readonly upto: number
}

export class SpacesCache {
  readonly #store: Store
  readonly #facts: FactsCache
  /** By user, because a user who is not in a space may know nothing of it. */
  readonly #known = new WeakMap<ActiveUser, Map<number, Children>>()

  constructor(store: Store, facts: FactsCache) {
    this.#store = store
    this.#facts = facts
  }

  /** Children of the spaces among `ids` that the user is joined to. */
  async of(user: ActiveUser, ids: readonly string[]): Promise<SpaceRooms> {
    const rooms = new Set<string>()
    const versions: string[] = []
    for (const id of new Set(ids)) {
      const space = (await this.#store.rooms.byId(id))?.nid
      if (space === undefined || user.memberships.get(space)?.membership !== 'join') continue
      const children = await this.#children(user, space)
      for (const room of children.rooms) rooms.add(room)
      versions.push(`${space}:${children.since}`)
    }
    return { rooms, version: versions.sort().join(' ') }
  }

  async #children(user: ActiveUser, space: number): Promise<Children> {
    const known = this.#known.get(user) ?? new Map<number, Children>()
    this.#known.set(user, known)
    const before = known.get(space)
    const latest = this.#facts.peek(space)?.latest ?? Number.POSITIVE_INFINITY
    if (before && latest <= before.upto) return before
    const upto = this.#store.position()
    const rooms = new Set<string>()
    for (const row of await this.#childEvents(space)) if (row.stateKey && hasVia(row)) rooms.add(row.stateKey)
    const same = before && before.rooms.size === rooms.size && [...rooms].every((id) => before.rooms.has(id))
    const found = same ? { ...before, upto } : { rooms, since: upto, upto }
    known.set(space, found)
    return found
  }

  async #childEvents(space: number): Promise<EventRow[]> {
    const keys = await this.#facts.stateKeys(space)
    if (!keys) return this.#store.state.currentAll(space, 'm.space.child')
    const children = keys.filter(([type]) => type === 'm.space.child')
    const rows: EventRow[] = []
    for (let i = 0; i < children.length; i += STATE_READ_MAX) {
      rows.push(...(await this.#store.state.current(space, children.slice(i, i + STATE_READ_MAX))))
    }
    return rows
  }
}

/** Without `via` a child was taken out again. */
function hasVia(row: EventRow): boolean {
  const { via } = (JSON.parse(row.json) as { content: { via?: unknown } }).content
  return Array.isArray(via)
}
