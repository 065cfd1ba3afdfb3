/**
 * What state resolution asks about events. It never fetches: what is not known yet is answered as `need`, and
 * the caller loads it and calls again.
 */

import type { Pdu } from '../event/pdu.ts'
import type { EventId } from '../ids/event-id.ts'
import { RESOLUTION_NEED_MAX } from './limits.ts'

/**
 * Why an event was rejected. `by-auth-events`: it failed against its own auth events, and takes no part in
 * resolution at all. `by-state`: it failed against the state before it; it takes part, since other servers may
 * judge that state differently, but is not used to authorise others out of their auth events.
 */
export type Rejection = 'by-auth-events' | 'by-state'

/** The events of one room, as far as they are loaded. */
export interface ResolutionFacts {
  /** The event; null if it is known to be unobtainable, undefined if it has not been loaded. */
  event(id: EventId): Pdu | null | undefined
  /**
   * The auth events of an event, if the caller can tell without its body; otherwise leave this out. Undefined
   * if not loaded; empty for an event that is unobtainable.
   */
  authEvents?(id: EventId): readonly EventId[] | undefined
  rejection(id: EventId): Rejection | undefined
}

/** Facts from a map that holds every event there is; others count as unobtainable. */
export function factsOf(
  events: ReadonlyMap<EventId, Pdu>,
  rejections: ReadonlyMap<EventId, Rejection> = new Map(),
): ResolutionFacts {
  return { event: (id) => events.get(id) ?? null, rejection: (id) => rejections.get(id) }
}

/** Facts with the memory of what was missing. */
export class Asker {
  readonly #facts: ResolutionFacts
  readonly #roomId: string
  readonly #missing = new Set<EventId>()

  constructor(facts: ResolutionFacts, roomId: string) {
    this.#facts = facts
    this.#roomId = roomId
  }

  /** Ids that were asked for in vain; empty if all is known. */
  get need(): readonly EventId[] {
    return [...this.#missing].slice(0, RESOLUTION_NEED_MAX)
  }

  /** An event of this room; undefined if it is unobtainable, of another room, or yet to be loaded. */
  event(id: EventId): Pdu | undefined {
    const event = this.#facts.event(id)
    if (event === undefined) this.#missing.add(id)
    // An event of another room authorises nothing here, whoever cites it.
    return event?.roomId === this.#roomId ? event : undefined
  }

  /** The auth events of an event; empty if it is unobtainable or yet to be loaded. */
  authEvents(id: EventId): readonly EventId[] {
    const { authEvents } = this.#facts
    if (authEvents === undefined) return this.event(id)?.authEvents ?? []
    const known = authEvents.call(this.#facts, id)
    if (known === undefined) this.#missing.add(id)
    return known ?? []
  }

  /** A state event that may take part in resolution. */
  participant(id: EventId): Pdu | undefined {
    const event = this.event(id)
    if (event?.stateKey === undefined) return undefined
    return this.#facts.rejection(id) === 'by-auth-events' ? undefined : event
  }

  /** A state event that may stand in for missing state when it is in somebody's auth events. */
  authorising(id: EventId): Pdu | undefined {
    const event = this.event(id)
    return event?.stateKey === undefined || this.#facts.rejection(id) !== undefined ? undefined : event
  }
}
