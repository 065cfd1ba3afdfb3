/**
 * The owner of rooms for writing. Events of one room are built one after another on a speculative head and committed
 * side by side, so that many senders in one room share an fsync. See docs/decisions/0001-write-path.md.
 */
import { KeyedLock } from '#/base/async/keyed-lock.ts'
import { Slices } from '#/base/async/slices.ts'
import { WeightedLru } from '#/base/weighted-lru.ts'
import type { Clock } from '#/base/world.ts'
import type { CommitResult, Conflict, Op } from '#/ports/store/plan.ts'
import type { Store } from '#/ports/store/store.ts'
import { selectAuthKeys } from '#/protocol/auth/select.ts'
import { deactivatedAccount, MatrixError } from '#/protocol/errors.ts'
import { type EventFields, nextDepth } from '#/protocol/event/build.ts'
import type { Pdu, StateKeyPair } from '#/protocol/event/pdu.ts'
import type { EventId } from '#/protocol/ids/event-id.ts'
import { createEventIdOf } from '#/protocol/ids/room-id.ts'
import type { UserId } from '#/protocol/ids/user-id.ts'
import type { JsonObject } from '#/protocol/json/value.ts'
import { rulesOf } from '#/protocol/room-version/rules.ts'
import type { Signer } from '../keys/signer.ts'
import { passLocal } from './ingest/gate.ts'
import type { VerifiedPdu } from './ingest/verified.ts'
import {
  BUILDS_PER_TURN,
  LIVE_ROOMS_BYTES_DEFAULT,
  REPLAN_MAX,
  RETRY_BUSY_MS,
  ROOM_QUEUE_MAX,
} from './limits.ts'
import { LiveRoom } from './live-room.ts'
import { inRoomFormat } from './old-format.ts'
import { duplicateAnnotation } from './relating.ts'
import { pduOfRow } from './stored-event.ts'
import { countDelta, insertOps, refuseEvent } from './write-ops.ts'

/** An event to be sent, before the room has given it its place. */
export interface Draft {
  readonly type: string
  readonly sender: UserId
  readonly stateKey?: string | undefined
  readonly content: JsonObject
  readonly redacts?: EventId | undefined
  /** Milliseconds; the clock's time when absent. */
  readonly originServerTs?: number | undefined
}

/** What a writer of one event wants besides it. It sees the room after its state keys were loaded. */
export interface WriteRequest {
  readonly roomId: string
  /** State keys that `draft` wants to look at. */
  readonly needs?: readonly StateKeyPair[]
  /** Makes the event, or gives the id of an event that already says the same. Runs again after a conflict. */
  draft(room: LiveRoom): Draft | { readonly already: string } | Promise<Draft | { readonly already: string }>
  /** Further operations of the same plan; the event is in slot 0. */
  more?(room: LiveRoom, pdu: VerifiedPdu): readonly Op[] | Promise<readonly Op[]>
}

/** A guard of the writer's own operations refused the plan. */
export class WriteRefused extends Error {
  readonly conflict: Conflict['conflict']

  constructor(conflict: Conflict['conflict']) {
    super(`a room write met the conflict ${conflict}`)
    this.conflict = conflict
  }
}

/**
 * What follows events of all rooms, whoever writes them: further operations of the plan of each, with the event in
 * slot 0. Runs in the room's turn before the room moves; `joined` counts the members with the event.
 */
export type FollowEvent = (
  room: LiveRoom,
  pdu: VerifiedPdu,
  before: Pdu | undefined,
  joined: number,
) => Promise<readonly Op[]>

interface Built {
  readonly room: LiveRoom
  readonly pdu: VerifiedPdu
  readonly committed: Promise<CommitResult>
}

/** Nothing is to be written; but what holds already may still be on its way to the disk with `tail`. */
interface Already {
  readonly already: string
  readonly room: LiveRoom
  readonly tail: Promise<CommitResult> | undefined
}

export class RoomWriter {
  readonly #store: Store
  readonly #signer: Signer
  readonly #clock: Clock
  readonly #lock = new KeyedLock()
  readonly #rooms: WeightedLru<string, LiveRoom>
  readonly #follow: FollowEvent | undefined
  readonly #builds: Slices

  constructor(deps: {
    store: Store
    signer: Signer
    clock: Clock
    cacheBytes?: number
    follow?: FollowEvent
  }) {
    this.#follow = deps.follow
    const bytes = deps.cacheBytes ?? LIVE_ROOMS_BYTES_DEFAULT
    this.#rooms = new WeightedLru(bytes, (room) => room.pending === 0)
    this.#store = deps.store
    this.#signer = deps.signer
    this.#clock = deps.clock
    this.#builds = new Slices(deps.clock, BUILDS_PER_TURN)
  }

  /**
   * Builds, checks, signs and commits one event. Resolves with its id when it is on disk.
   * Throws M_FORBIDDEN when the rules of the room refuse the event, and for a room that is not here just the same.
   */
  async write(request: WriteRequest): Promise<string> {
    for (let attempt = 0; attempt < REPLAN_MAX; attempt++) {
      const built = await this.#buildInTurn(request)
      if ('already' in built) {
        if (await this.#stands(built.room, built.tail)) return built.already
        continue
      }
      const result = await this.#finish(built)
      if (result.ok) return built.pdu.eventId
      if (result.conflict === 'txn' && result.value !== undefined) return result.value
      if (result.conflict === 'deactivated') throw deactivatedAccount()
      if (result.conflict === 'duplicate') throw duplicateAnnotation()
      if (result.conflict !== 'head') throw new WriteRefused(result.conflict)
    }
    throw tooBusy()
  }

  /** A look at the head and some state of a room, not older than anything acknowledged. */
  async look(roomId: string, needs: readonly StateKeyPair[]): Promise<LiveRoom> {
    return this.#lock.run(roomId, async () => {
      const room = await this.#open(roomId)
      await room.load(this.#store.state, needs)
      return room
    })
  }

  /** Forgets what is known of a room, for example after it was deleted. */
  forget(roomId: string): void {
    const room = this.#rooms.peek(roomId)
    if (room) room.discarded = true
    this.#rooms.delete(roomId)
  }

  async #buildInTurn(request: WriteRequest): Promise<Built | Already> {
    if (this.#lock.waiting(request.roomId) >= ROOM_QUEUE_MAX) {
      throw tooBusy()
    }
    return this.#lock.run(request.roomId, () => this.#build(request))
  }

  async #build(request: WriteRequest): Promise<Built | Already> {
    await this.#builds.place()
    const room = await this.#open(request.roomId)
    if (request.needs) await room.load(this.#store.state, request.needs)
    const draft = await request.draft(room)
    if ('already' in draft)
      return { already: draft.already, room, tail: room.pending > 0 ? room.tail : undefined }
    const pdu = await this.#seal(room, draft)
    const before = pdu.stateKey === undefined ? undefined : room.state(pdu.type, pdu.stateKey)
    const more = request.more ? await request.more(room, pdu) : []
    const joined = room.joined + countDelta(pdu, before).joined
    const following = this.#follow ? await this.#follow(room, pdu, before, joined) : []
    const ops = [...insertOps(room, pdu, before, this.#signer.serverName), ...more, ...following]
    const committed = this.#store.commit({ lane: room.roomId, ops })
    /* A rejection is handled by whoever awaits `committed`; this keeps Node from calling it unhandled meanwhile. */
    committed.catch(() => {})
    room.tail = committed
    room.pending++
    room.seq++
    room.joined = joined
    room.advance(pdu)
    for (const op of more) if (op.op === 'event.redact') room.redact(op.target, op.json)
    return { room, pdu, committed }
  }

  /** Places a draft at the room's head: auth events, depth, signature, and the gate. */
  async #seal(room: LiveRoom, draft: Draft): Promise<VerifiedPdu> {
    const { rules } = room
    const keys = selectAuthKeys(rules, draft.type, draft.sender, draft.stateKey, draft.content)
    const wanted: StateKeyPair[] = [
      ['m.room.create', ''],
      ['m.room.power_levels', ''],
      ['m.room.join_rules', ''],
    ]
    wanted.push(['m.room.member', draft.sender])
    if (draft.stateKey !== undefined) wanted.push([draft.type, draft.stateKey])
    await room.load(this.#store.state, [...wanted, ...keys])
    const auth = new Map<EventId, Pdu>()
    for (const [type, stateKey] of keys) {
      const event = room.state(type, stateKey)
      if (event) auth.set(event.eventId, event)
    }
    const authEvents = [...auth.keys()]
    const create = room.state('m.room.create', '')
    if (create && rules.roomIdIsCreateHash) auth.set(createEventIdOf(room.roomId), create)
    const fields: EventFields = {
      ...draft,
      roomId: room.roomId,
      originServerTs: draft.originServerTs ?? this.#clock.now(),
      prevEvents: room.extremities,
      authEvents,
      depth: nextDepth(rules, [{ json: { depth: room.depth } }]),
    }
    const referenced = rules.eventReferences === 'ids' ? [] : [...auth.values(), ...(await this.#tips(room))]
    const built = this.#signer.event(rules, inRoomFormat(rules, this.#signer.serverName, fields, referenced))
    if (!built.ok) throw refuseEvent(built)
    const passed = passLocal(built.value, auth, room.state)
    if (!passed.ok) throw refuseEvent(passed)
    return passed.pdu
  }

  /** The events at the room's head, for versions whose references carry hashes. */
  async #tips(room: LiveRoom): Promise<Pdu[]> {
    if (room.newest) return [room.newest]
    const rows = await this.#store.events.byIds(room.extremities)
    return rows.map((row) => pduOfRow(row, room.rules))
  }

  async #open(roomId: string): Promise<LiveRoom> {
    const live = this.#rooms.get(roomId)
    if (live && !live.discarded) return live
    const row = await this.#store.rooms.byId(roomId)
    const rules = row && rulesOf(row.version)
    const head = row && (await this.#store.rooms.head(row.nid))
    if (!row || !rules || !head) throw new MatrixError('M_FORBIDDEN', 'You are not in this room.')
    const room = new LiveRoom(row, rules, head)
    this.#rooms.set(roomId, room, room.bytes)
    return room
  }

  /** Waits for the disk. Whatever goes wrong, nobody builds on this head again. */
  async #finish({ room, committed }: Built): Promise<CommitResult> {
    try {
      const result = await committed
      if (!result.ok) this.#discard(room)
      return result
    } catch (error) {
      this.#discard(room)
      throw error
    } finally {
      room.pending--
      if (room.pending === 0) room.trim()
      if (this.#rooms.peek(room.roomId) === room) this.#rooms.weigh(room.roomId, room.bytes)
    }
  }

  /** Waits until what a room was seen to hold is on disk; false when it never came there. */
  async #stands(room: LiveRoom, tail: Promise<CommitResult> | undefined): Promise<boolean> {
    const result = await tail
    return result === undefined || (result.ok && !room.discarded)
  }

  #discard(room: LiveRoom): void {
    room.discarded = true
    if (this.#rooms.peek(room.roomId) === room) this.#rooms.delete(room.roomId)
  }
}

/** What the sender is told when a write met others too often. */
export function tooBusy(): MatrixError {
  const more = { retry_after_ms: RETRY_BUSY_MS }
  return new MatrixError(
    'M_LIMIT_EXCEEDED',
    'Too much is written in this room. Please try again later.',
    more,
  )
}
