/** What operations of one plan share while they are applied. */
import { StoreError } from '#/base/store-error.ts'
import type { EventRef, RoomRef } from '#/ports/store/events.ts'
import type { Change, Conflict } from '#/ports/store/plan.ts'

/** Thrown by a guard; the plan is rolled back and the conflict is the result. */
export class GuardFailed {
  readonly conflict: Conflict
  constructor(conflict: Conflict) {
    this.conflict = conflict
  }
}

/** Gives out row ids and stream positions, ever greater. */
export interface PositionSource {
  next(): number
}

export class PlanContext {
  readonly changes: Change[] = []
  readonly #source: PositionSource
  /** Interned ids, shared by all plans of a connection; cleared when anything is rolled back. */
  readonly interned: Map<string, number>
  readonly #slots: number[] = []
  #room = 0
  /** The greatest position given out to this plan. */
  position = 0
  /** Position of the plan's newest event, at which its state changes take effect. */
  eventPosition = 0

  constructor(source: PositionSource, interned: Map<string, number>) {
    this.#source = source
    this.interned = interned
  }

  next(): number {
    this.position = this.#source.next()
    return this.position
  }

  newRoom(nid: number): void {
    this.#room = nid
  }

  room(ref: RoomRef): number {
    if (ref !== 'new') return ref
    if (this.#room === 0) throw new StoreError('invalid', 'the plan names a new room before it creates one')
    return this.#room
  }

  setSlot(slot: number, nid: number): void {
    this.#slots[slot] = nid
  }

  event(ref: EventRef): number {
    if ('nid' in ref) return ref.nid
    const nid = this.#slots[ref.slot]
    if (nid === undefined)
      throw new StoreError('invalid', `the plan names event slot ${ref.slot} before it is filled`)
    return nid
  }
}
