/**
 * A room as its owner holds it: the speculative head, and the state events that were needed so far. What is here may
 * be ahead of the disk; when a write fails the whole object is thrown away and read anew.
 */
import type { CommitResult } from '#/ports/store/plan.ts'
import type { RoomHead, RoomRow } from '#/ports/store/rooms.ts'
import type { StateReader } from '#/ports/store/state.ts'
import type { Pdu, StateKeyPair, StateLookup } from '#/protocol/event/pdu.ts'
import type { EventId } from '#/protocol/ids/event-id.ts'
import type { RoomId } from '#/protocol/ids/room-id.ts'
import type { RoomVersionRules } from '#/protocol/room-version/rules.ts'
import { LIVE_STATE_KEYS_MAX, STATE_KEYS_PER_READ } from './limits.ts'
import { pduOfRow } from './stored-event.ts'

export class LiveRoom {
  readonly nid: number
  readonly roomId: RoomId
  readonly rules: RoomVersionRules
  /** Guard of the next write. */
  seq: number
  extremities: readonly EventId[]
  depth: number
  /** Joined members. */
  joined: number
  /** The event at the head, when it was written since the room was loaded. */
  newest: Pdu | undefined
  /** Writes that are not on disk yet. */
  pending = 0
  /** The newest of them. Writes of a room reach the disk in order, each only with all before it. */
  tail: Promise<CommitResult> | undefined
  /** Set when a write of this room failed; nobody builds on it any more. */
  discarded = false
  /** Events by `type NUL state_key`; null for a key that is known to be absent. */
  readonly #state = new Map<string, Pdu | null>()
  /** What the state events weigh in memory, roughly. */
  bytes = ROOM_BYTES

  constructor(row: RoomRow, rules: RoomVersionRules, head: RoomHead) {
    this.nid = row.nid
    this.roomId = row.roomId as RoomId
    this.rules = rules
    this.seq = head.seq
    this.extremities = head.extremities as readonly EventId[]
    this.depth = head.depth
    this.joined = head.joined
  }

  /** State at the head. Throws for a key that was not loaded: absent and unknown must not be confused. */
  readonly state: StateLookup = (type, stateKey) => {
    const held = this.#state.get(`${type}\0${stateKey}`)
    if (held === undefined) throw new Error(`state key (${type}, ${stateKey}) was not loaded`)
    return held ?? undefined
  }

  /** Keys among `keys` that must be loaded before `state` may be asked for them. */
  missing(keys: readonly StateKeyPair[]): StateKeyPair[] {
    return keys.filter(([type, stateKey]) => !this.#state.has(`${type}\0${stateKey}`))
  }

  /** Loads keys from the store. Only right while no write is under way that changes them, so the owner's lock is held. */
  async load(reader: StateReader, keys: readonly StateKeyPair[]): Promise<void> {
    const missing = this.missing(keys)
    for (let i = 0; i < missing.length; i += STATE_KEYS_PER_READ) {
      const some = missing.slice(i, i + STATE_KEYS_PER_READ)
      const rows = await reader.current(this.nid, some)
      for (const [type, stateKey] of some) this.#put(type, stateKey, null)
      for (const row of rows) this.#put(row.type, row.stateKey ?? '', pduOfRow(row, this.rules))
    }
  }

  /** Moves the speculative head behind `pdu`. */
  advance(pdu: Pdu): void {
    this.extremities = [pdu.eventId]
    this.newest = pdu
    this.depth = pdu.depth
    if (pdu.stateKey !== undefined) this.#put(pdu.type, pdu.stateKey, pdu)
  }

  /** Puts the redacted form of an event in its place, where the state holds the event. */
  redact(eventId: string, json: string): void {
    for (const held of this.#state.values()) {
      if (held?.eventId !== eventId || held.stateKey === undefined) continue
      this.#put(held.type, held.stateKey, pduOfRow({ eventId, json }, this.rules))
      return
    }
  }

  #put(type: string, stateKey: string, pdu: Pdu | null): void {
    const name = `${type}\0${stateKey}`
    this.bytes += weightOf(pdu) - weightOf(this.#state.get(name))
    this.#state.delete(name)
    this.#state.set(name, pdu)
  }

  /**
   * Forgets the keys touched longest ago when there are too many. Only right while nothing is under way, since a
   * forgotten key is read from the disk again.
   */
  trim(): void {
    for (const [name, pdu] of this.#state) {
      if (this.#state.size <= LIVE_STATE_KEYS_MAX) return
      this.bytes -= weightOf(pdu)
      this.#state.delete(name)
    }
  }
}

/** A room without state. */
const ROOM_BYTES = 1000
/** An absent key. */
const ABSENT_BYTES = 200
/** Objects around the characters of an event, measured on member events. */
const EVENT_BYTES = 1500

function weightOf(pdu: Pdu | null | undefined): number {
  if (pdu === undefined) return 0
  return pdu === null ? ABSENT_BYTES : EVENT_BYTES + 2 * pdu.text.length
}
