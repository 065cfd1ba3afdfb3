/**
 * Room state as everybody gets it who syncs a whole room: made once per room and state, shared by all readers.
 * Nothing in it depends on the reader or on the time.
 */
import { SingleFlight } from '#/base/async/single-flight.ts'
import { Lru } from '#/base/lru.ts'
import { WeightedLru } from '#/base/weighted-lru.ts'
import type { EventRow } from '#/ports/store/events.ts'
import type { StatePoint } from '#/ports/store/state.ts'
import type { Store } from '#/ports/store/store.ts'
import type { RoomVersionRules } from '#/protocol/room-version/rules.ts'
import type { ClientEvents } from '../rooms/read/client-events.ts'
import { STATE_TEXT_CHARS_MAX, STATE_TEXTS_MAX, STATES_PER_ROOM } from './limits.ts'

/** Which part of the state. */
export type StatePart = 'all' | 'without members'

export interface WholeState {
  readonly room: number
  readonly rules: RoomVersionRules
  readonly point: StatePoint
  readonly part: StatePart
}

/** States of one room that were asked for lately, by position of the last change and part; oldest first. */
type RoomStates = Map<string, string>

export class StateCache {
  readonly #store: Store
  readonly #clientEvents: ClientEvents
  readonly #rooms: WeightedLru<number, RoomStates>
  readonly #texts = new Lru<number, string>(STATE_TEXTS_MAX)
  readonly #making = new SingleFlight<string, string>()
  /** How many came: what was begun before one is not for those who ask behind it. */
  #redactions = 0
  readonly #stop: () => void

  constructor(deps: { store: Store; clientEvents: ClientEvents; cacheBytes: number }) {
    this.#store = deps.store
    this.#clientEvents = deps.clientEvents
    this.#rooms = new WeightedLru(deps.cacheBytes)
    this.#stop = deps.store.onChange((changes) => {
      /* A redaction takes what an event says out of states that it was in; without the event it may have been one. */
      for (const { stream, room, event } of changes) {
        if (stream !== 'events' || room === undefined) continue
        if (event !== undefined && event.type !== 'm.room.redaction') continue
        this.#rooms.delete(room)
        this.#redactions++
      }
    })
  }

  /** The room's state at a point: JSON texts of the events with commas between; empty where there is none. */
  async text({ room, rules, point, part }: WholeState, reads: Store = this.#store): Promise<string> {
    const name = `${await stateName(reads, room, point)} ${part}`
    const known = this.#rooms.get(room)?.get(name)
    if (known !== undefined) return known
    return this.#making.run(`${this.#redactions} ${room} ${name}`, async () => {
      const states = this.#rooms.peek(room) ?? new Map<string, string>()
      this.#rooms.set(room, states, weightOf(states))
      const exceptType = part === 'all' ? undefined : 'm.room.member'
      const made = await reads.state.textAt({ room, point, exceptType })
      const others = made.others.length === 0 ? [] : await this.#clientEvents.plain(made.others, rules)
      const text = made.text === '' ? others.join(',') : [made.text, ...others].join(',')
      /* Unless the room's states were forgotten meanwhile. */
      if (this.#rooms.peek(room) === states) this.#keep(room, states, name, text)
      return text
    })
  }

  /** Single state events as the same texts. */
  async texts(rows: readonly EventRow[], rules: RoomVersionRules): Promise<string[]> {
    /* A redacted event is told with its redaction; what was kept of it before is not looked for. */
    const texts = rows.map((row) => (row.redactedBy === null ? this.#texts.get(row.nid) : undefined))
    const missing = rows.filter((_, index) => texts[index] === undefined)
    if (missing.length === 0) return texts as string[]
    const made = (await this.#clientEvents.plain(missing, rules)).values()
    return rows.map((row, index) => {
      const known = texts[index]
      if (known !== undefined) return known
      const text: string = made.next().value!
      if (row.redactedBy === null && text.length <= STATE_TEXT_CHARS_MAX) this.#texts.set(row.nid, text)
      return text
    })
  }

  close(): void {
    this.#stop()
  }

  #keep(room: number, states: RoomStates, name: string, text: string): void {
    states.set(name, text)
    while (states.size > STATES_PER_ROOM) states.delete(states.keys().next().value!)
    this.#rooms.set(room, states, weightOf(states))
  }
}

/** The same for all points between the same changes of the state. */
async function stateName(reads: Store, room: number, { branch, pos }: StatePoint): Promise<string> {
  if (branch !== 0) return `${branch} ${pos}`
  const last = await reads.state.lastChange(room)
  return `0 ${Math.min(last, pos)}`
}

/** Bytes of an entry besides its text. */
const ENTRY_BYTES = 200

function weightOf(states: RoomStates): number {
  let bytes = ENTRY_BYTES
  for (const text of states.values()) bytes += ENTRY_BYTES + text.length
  return bytes
}
