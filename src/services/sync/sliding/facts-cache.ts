/** Facts of rooms kept ready for all users, moved on as events come. A change costs once per room, not per member. */
import { inLanes } from '#/base/async/lanes.ts'
import { Lru } from '#/base/lru.ts'
import type { Change } from '#/ports/store/plan.ts'
import type { RoomFactsRow } from '#/ports/store/room-facts.ts'
import type { Store } from '#/ports/store/store.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import { roomFactsChange } from '../../rooms/room-facts.ts'
import {
  FACTS_AT_ONCE,
  FACTS_KNOWN_MAX,
  FACTS_READS_AT_ONCE,
  STATE_KEYS_MAX,
  STATE_KEYS_ROOMS_MAX,
} from './limits.ts'

export class FactsCache {
  readonly #store: Store
  readonly #facts = new Lru<number, RoomFactsRow>(FACTS_KNOWN_MAX)
  /** Names of all state keys but members, by room. */
  readonly #stateKeys = new Lru<number, Set<string>>(STATE_KEYS_ROOMS_MAX)
  /** Changes that came while something was loading. */
  #during: Change[] = []
  #loading = 0
  readonly #stop: () => void

  constructor(store: Store) {
    this.#store = store
    this.#stop = store.onChange((changes) => {
      for (const change of changes) {
        if (change.stream !== 'events') continue
        if (this.#loading > 0) this.#during.push(change)
        this.#take(change)
      }
    })
  }

  close(): void {
    this.#stop()
  }

  /** The facts of a room, if they are here. */
  peek(room: number): RoomFactsRow | undefined {
    return this.#facts.peek(room)
  }

  /** Makes the facts of rooms ready. With more rooms than are kept, some are gone again. */
  async load(rooms: Iterable<number>): Promise<void> {
    const missing: number[] = []
    for (const room of rooms) if (this.#facts.get(room) === undefined) missing.push(room)
    await inLanes(missing, { lanes: FACTS_READS_AT_ONCE, size: FACTS_AT_ONCE }, (asked) =>
      this.#whileLoading(async () => {
        const found = new Map((await this.#store.roomFacts.of(asked)).map((row) => [row.room, row]))
        for (const room of asked) this.#facts.set(room, found.get(room) ?? nothingKnown(room))
      }),
    )
  }

  /** All state keys of a room but its members, as `[type, state key]`; undefined when there are too many to keep. */
  async stateKeys(room: number): Promise<(readonly [string, string])[] | undefined> {
    let names = this.#stateKeys.get(room)
    if (!names) {
      names = new Set()
      const fresh = names
      await this.#whileLoading(async () => {
        const point = { branch: 0, pos: this.#store.position() }
        for (const entry of await this.#store.state.fullAt(room, point)) {
          if (entry.type !== 'm.room.member') fresh.add(`${entry.type}\0${entry.stateKey}`)
        }
        this.#stateKeys.set(room, fresh)
      })
    }
    if (names.size > STATE_KEYS_MAX) return undefined
    return [...names].map((name) => {
      const end = name.indexOf('\0')
      return [name.slice(0, end), name.slice(end + 1)] as const
    })
  }

  /** What is loaded may be older than changes that came meanwhile, which are taken again. */
  async #whileLoading(load: () => Promise<void>): Promise<void> {
    this.#loading++
    try {
      await load()
      for (const change of this.#during) this.#take(change)
    } finally {
      this.#loading--
      if (this.#loading === 0) this.#during = []
    }
  }

  #take({ room, position, event }: Change): void {
    if (room === undefined || event === undefined) return
    if (event.stateKey !== null && event.type !== 'm.room.member') {
      const names = this.#stateKeys.peek(room)
      if (names && names.size <= STATE_KEYS_MAX) names.add(`${event.type}\0${event.stateKey}`)
    }
    if (event.type === 'm.room.redaction') {
      /* What it took may have been the room's name. */
      this.#facts.delete(room)
      return
    }
    const facts = this.#facts.peek(room)
    if (!facts || facts.latest > position) return
    const content = (): JsonObject => (JSON.parse(event.json) as { content: JsonObject }).content
    const { bump, ...rest } = roomFactsChange(event, content) ?? {}
    const moved = bump ? { bump: position } : {}
    this.#facts.set(room, { ...facts, ...rest, ...moved, latest: position })
  }
}

function nothingKnown(room: number): RoomFactsRow {
  return { room, latest: 0, bump: 0, roomType: null, name: null, encrypted: false }
}
