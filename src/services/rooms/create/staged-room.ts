/**
 * A new room of any size. A small one is one plan. Of a large one the first events are written slice by slice into a
 * room that nobody finds, and its last plan brings it into sight, so that it is there whole or not at all and the
 * writer is never held for long. docs/decisions/0020-large-rooms.md
 */
import { turn, type World } from '#/base/world.ts'
import type { Op } from '#/ports/store/plan.ts'
import type { OpenedMember } from '#/ports/store/rooms.ts'
import type { Store } from '#/ports/store/store.ts'
import type { RoomId } from '#/protocol/ids/room-id.ts'
import { DELETE_KIND } from '../delete-kind.ts'
import type { VerifiedPdu } from '../ingest/verified.ts'
import { EVENTS_PER_TURN, ROOM_EVENTS_PER_PLAN, UNFINISHED_ROOM_MS } from '../limits.ts'
import type { FirstEvent, RoomBuilder } from './room-builder.ts'

export interface StagingDeps {
  readonly store: Store
  readonly world: World
  /** A durable job was added. */
  readonly onJob: () => void
}

interface Hidden {
  readonly nid: number
  readonly lane: string
  /** Sequence of its head. */
  seq: number
  /** By user. */
  readonly members: Map<string, OpenedMember>
}

export class StagedRoom {
  readonly #deps: StagingDeps
  readonly #builder: RoomBuilder
  #hidden: Hidden | undefined
  #sinceTurn = 0

  constructor(deps: StagingDeps, builder: RoomBuilder) {
    this.#deps = deps
    this.#builder = builder
  }

  get roomId(): RoomId {
    return this.#builder.roomId
  }

  /** Adds an event; those before it may be written. Throws as `RoomBuilder.add`. */
  async add(event: FirstEvent): Promise<void> {
    if (this.#builder.size >= ROOM_EVENTS_PER_PLAN) await this.#writeSlice()
    await this.addLast(event)
  }

  /** Adds an event that belongs into the plan which shows the room: an invitation, or what goes with it. */
  async addLast(event: FirstEvent): Promise<{ readonly pdu: VerifiedPdu; readonly slot: number }> {
    if (++this.#sinceTurn >= EVENTS_PER_TURN) {
      this.#sinceTurn = 0
      await turn(this.#deps.world.clock)
    }
    return this.#builder.add(event)
  }

  /** Operations that follow an event of `addLast`. */
  also(ops: readonly Op[]): void {
    this.#builder.also(ops)
  }

  /** The operations that make the room, or show it when its beginning is written. For its last plan. */
  finish(): Op[] {
    const hidden = this.#hidden
    if (!hidden) return this.#builder.plan().ops
    const { nid, seq, members } = hidden
    const { head, ops, roomId } = this.#builder.take()
    return [
      { op: 'room.head', room: nid, expect: seq, ...head },
      { op: 'room.open', room: nid, roomId, members: [...members.values()] },
      { op: 'job.done', kind: DELETE_KIND, key: String(nid) },
      ...ops.map((op) => inRoom(op, nid)),
    ]
  }

  /** `ops` of a last plan, for the room that they call new. */
  named(ops: readonly Op[]): Op[] {
    const nid = this.#hidden?.nid
    return nid === undefined ? [...ops] : ops.map((op) => inRoom(op, nid))
  }

  /** Has what was written cleared away. */
  async abandon(): Promise<void> {
    const hidden = this.#hidden
    if (!hidden) return
    this.#hidden = undefined
    const dueTs = this.#deps.world.clock.now()
    const job = { op: 'job.put', kind: DELETE_KIND, key: String(hidden.nid), dueTs, data: '{}' } as const
    await this.#deps.store.commit({ lane: 'jobs', ops: [job] })
    this.#deps.onJob()
  }

  async #writeSlice(): Promise<void> {
    this.#hidden ??= await this.#begin()
    const { nid, lane, seq, members } = this.#hidden
    const { head, ops } = this.#builder.take()
    const slice = ops.map((op) => quiet(inRoom(op, nid)))
    const move: Op = { op: 'room.head', room: nid, expect: seq, ...head }
    const result = await this.#deps.store.commit({ lane, ops: [move, ...slice] })
    /* The room was cleared meanwhile: it took longer than anybody waits. */
    if (!result.ok) throw new Error(`a room in the making met the conflict ${result.conflict}`)
    this.#hidden.seq++
    for (const one of membersOf(slice, result.results.slice(1))) members.set(one.user, one)
  }

  /** The hidden room, with the job that clears it away unless it is finished. */
  async #begin(): Promise<Hidden> {
    const { store, world } = this.#deps
    const { roomId, version } = this.#builder
    const dueTs = world.clock.now() + UNFINISHED_ROOM_MS
    const result = await store.commit({
      lane: roomId,
      ops: [
        { op: 'room.create', roomId, version, hidden: true },
        { op: 'job.put', kind: DELETE_KIND, key: { room: 'new' }, dueTs, data: '{}' },
      ],
    })
    if (!result.ok) throw new Error(`a room met the conflict ${result.conflict}`)
    return { nid: result.results[0] as number, lane: roomId, seq: 0, members: new Map() }
  }
}

/** An operation on the room that it calls new, by that room's row id. */
function inRoom(op: Op, nid: number): Op {
  if ('room' in op && op.room === 'new') return { ...op, room: nid } as Op
  if ('to' in op && op.to === 'new') return { ...op, to: nid } as Op
  return op
}

function quiet(op: Op): Op {
  return op.op === 'event.insert' ? { ...op, quiet: true } : op
}

/** Memberships that a slice wrote, with the row ids of their events. */
function membersOf(ops: readonly Op[], results: readonly unknown[]): OpenedMember[] {
  const nids = new Map<number, number>()
  const members: OpenedMember[] = []
  for (const [index, op] of ops.entries()) {
    if (op.op === 'event.insert') nids.set(op.slot, results[index] as number)
    if (op.op !== 'room.membership' || !('slot' in op.event)) continue
    const { user, membership, sender } = op
    members.push({ user, membership, sender, event: nids.get(op.event.slot)! })
  }
  return members
}
