/** The first events of a room, built one after another before anything of it is stored. */
import type { Rng } from '#/base/world.ts'
import type { Op } from '#/ports/store/plan.ts'
import { selectAuthKeys } from '#/protocol/auth/select.ts'
import type { EventFields } from '#/protocol/event/build.ts'
import type { Pdu, StateKeyPair } from '#/protocol/event/pdu.ts'
import type { EventId } from '#/protocol/ids/event-id.ts'
import { mintRoomId, type RoomId } from '#/protocol/ids/room-id.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import type { RoomVersionRules } from '#/protocol/room-version/rules.ts'
import type { Signer } from '../../keys/signer.ts'
import { passLocal } from '../ingest/gate.ts'
import type { VerifiedPdu } from '../ingest/verified.ts'
import { inRoomFormat } from '../old-format.ts'
import { countDelta, eventOps, refuseEvent } from '../write-ops.ts'

export interface FirstEvent {
  readonly type: string
  readonly stateKey: string
  readonly content: JsonObject
}

/** The random part of a room id before version 12: its letters, and how many of them. */
const ROOM_ID_LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const ROOM_ID_LENGTH = 18

/** Where the forward edge of a room stands behind its newest event; members are those since the last look. */
export interface BuiltHead {
  readonly extremities: readonly EventId[]
  readonly depth: number
  readonly joinedDelta: number
  readonly invitedDelta: number
}

/** Builds events one after another on a room that is not stored yet. */
export class RoomBuilder {
  readonly #rules: RoomVersionRules
  readonly #signer: Signer
  readonly #ts: number
  readonly #sender: UserId
  readonly #state = new Map<string, Pdu>()
  #ops: Op[] = []
  readonly #firstSlot: number
  #roomId: RoomId | undefined
  #last: Pdu | undefined
  #slots: number
  #joined = 0
  #invited = 0

  /**
   * @param ts time of the events, in milliseconds
   * @param firstSlot of the events in their plan, where it holds others before them
   */
  constructor(rules: RoomVersionRules, signer: Signer, rng: Rng, ts: number, sender: UserId, firstSlot = 0) {
    this.#rules = rules
    this.#signer = signer
    this.#ts = ts
    this.#sender = sender
    this.#firstSlot = firstSlot
    this.#slots = firstSlot
    if (!rules.roomIdIsCreateHash) {
      let opaque = ''
      while (opaque.length < ROOM_ID_LENGTH) opaque += ROOM_ID_LETTERS[rng.below(ROOM_ID_LETTERS.length)]
      this.#roomId = mintRoomId(opaque, signer.serverName)
    }
  }

  readonly #lookup = (type: string, stateKey: string): Pdu | undefined =>
    this.#state.get(`${type}\0${stateKey}`)

  /** Adds an event. Throws M_BAD_JSON, M_TOO_LARGE and M_FORBIDDEN, and is then as it was. */
  add(event: FirstEvent): { readonly pdu: VerifiedPdu; readonly slot: number } {
    const { type, stateKey, content } = event
    const keys = selectAuthKeys(this.#rules, type, this.#sender, stateKey, content)
    const auth = new Map<EventId, Pdu>()
    for (const [authType, authKey] of keys) {
      const found = this.#lookup(authType, authKey)
      if (found) auth.set(found.eventId, found)
    }
    const authEvents = [...auth.keys()]
    const create = this.#lookup('m.room.create', '')
    if (create) auth.set(create.eventId, create)
    const fields: EventFields = {
      type,
      stateKey,
      content,
      sender: this.#sender,
      roomId: this.#roomId,
      originServerTs: this.#ts,
      prevEvents: this.#last ? [this.#last.eventId] : [],
      authEvents,
      depth: (this.#last?.depth ?? 0) + 1,
    }
    const referenced = this.#last ? [...auth.values(), this.#last] : []
    const { serverName } = this.#signer
    const built = this.#signer.event(this.#rules, inRoomFormat(this.#rules, serverName, fields, referenced))
    if (!built.ok) throw refuseEvent(built)
    const passed = passLocal(built.value, auth, this.#lookup)
    if (!passed.ok) throw refuseEvent(passed)
    const { pdu } = passed
    const before = this.#lookup(type, stateKey)
    const delta = countDelta(pdu, before)
    this.#joined += delta.joined
    this.#invited += delta.invited
    this.#state.set(`${type}\0${stateKey}`, pdu)
    const known = { state: this.#lookup, missing: (_: readonly StateKeyPair[]) => [] }
    const slot = this.#slots++
    this.#ops.push(...eventOps('new', pdu, slot, this.#signer.serverName, known))
    this.#roomId = pdu.roomId
    this.#last = pdu
    return { pdu, slot }
  }

  /** Operations that follow an event that was added. */
  also(ops: readonly Op[]): void {
    this.#ops.push(...ops)
  }

  /** Known from the beginning, in version 12 once the create event is there. */
  get roomId(): RoomId {
    if (this.#roomId === undefined) throw new Error('the room has no id before its create event')
    return this.#roomId
  }

  get version(): string {
    return this.#rules.version
  }

  /** Events that were added and not taken. */
  get size(): number {
    return this.#slots - this.#firstSlot
  }

  /** The operations of the events added since the last call, and the room's head behind them. */
  take(): { roomId: RoomId; head: BuiltHead; ops: Op[] } {
    const last = this.#last
    if (!last) throw new Error('a room without events cannot be created')
    const head = {
      extremities: [last.eventId],
      depth: last.depth,
      joinedDelta: this.#joined,
      invitedDelta: this.#invited,
    }
    const ops = this.#ops
    this.#ops = []
    this.#slots = this.#firstSlot
    this.#joined = 0
    this.#invited = 0
    return { roomId: this.roomId, head, ops }
  }

  /** All operations that make the room, in one plan. */
  plan(): { roomId: RoomId; ops: Op[] } {
    const { roomId, head, ops } = this.take()
    const create: Op = { op: 'room.create', roomId, version: this.#rules.version }
    return { roomId, ops: [create, { op: 'room.head', room: 'new', expect: 0, ...head }, ...ops] }
  }
}
