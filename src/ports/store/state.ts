/** Room state over time. See docs/decisions/0002-room-state.md. */
import type { EventRef, EventRow, RoomRef } from './events.ts'
import type { StateText, StateTextAsk, StateTurn, TurnsAsk } from './many.ts'

/** The state of a room at one point: position `pos` on a branch; branch 0 is the room's current state over time. */
export interface StatePoint {
  readonly branch: number
  readonly pos: number
}

export interface StateChange {
  readonly type: string
  readonly stateKey: string
  /** The event that now holds the key; null takes the key away. */
  readonly event: EventRef | null
}

export interface StateEntry {
  readonly type: string
  readonly stateKey: string
  /** Row id of the event. */
  readonly event: number
}

/** A state event, and the event that held its key before it. */
export interface Replaced {
  /** Row id of the state event. */
  readonly by: number
  readonly event: EventRow
}

/** A key whose event differs between two points; 0 means absent. */
export interface StateDifference {
  readonly type: string
  readonly stateKey: string
  readonly from: number
  readonly to: number
}

export type StateOp =
  | {
      /** Changes the state of a branch at the position of the plan's newest event. */
      readonly op: 'state.change'
      readonly room: RoomRef
      readonly branch: number
      readonly changes: readonly StateChange[]
    }
  | {
      /** A branch that begins as the state at `parent`; its number is the result. */
      readonly op: 'state.branch'
      readonly room: RoomRef
      readonly parent: StatePoint
    }
  | {
      /** Keeps the point at which an event that is not on the main line was judged. */
      readonly op: 'state.at'
      readonly event: EventRef
      readonly point: StatePoint
    }

export interface StateReader {
  /** Current events of the given keys; absent keys are left out. At most READ_ROWS_SMALL keys. */
  current(room: number, keys: readonly (readonly [string, string])[]): Promise<EventRow[]>
  /** All current state events, or those of one type. */
  currentAll(room: number, type?: string): Promise<EventRow[]>
  /** Position of the newest change of the room's current state; 0 for a room without state. */
  lastChange(room: number): Promise<number>
  /** State before an event, as a point to ask about. */
  pointBefore(eventNid: number): Promise<StatePoint | undefined>
  /** States before events that are stored, in order. */
  pointsBefore(eventNids: readonly number[]): Promise<StatePoint[]>
  /** Whether any of some events was judged on a state off the main line. */
  anyBranched(events: readonly number[]): Promise<boolean>
  /** What held the keys of some state events before each of them; none for a key new then. At most READ_ROWS_SMALL. */
  replaced(eventNids: readonly number[]): Promise<Replaced[]>
  at(room: number, point: StatePoint, keys: readonly (readonly [string, string])[]): Promise<EventRow[]>
  /** All state events at a point, without those of one type. */
  eventsAt(room: number, point: StatePoint, exceptType?: string): Promise<EventRow[]>
  /**
   * Member events of the current state behind a row id, the oldest first. In a room of more than a thousand members only
   * those of the thousand users who are known here longest are looked at.
   */
  someMembers(room: number, limit: number, after: number): Promise<EventRow[]>
  /** Who held keys at the beginning of a stretch and in it. Undefined where that is too long a story. */
  turns(ask: TurnsAsk): Promise<StateTurn[] | undefined>
  /** All state at a point, without events of one type, as JSON texts for clients. */
  textAt(ask: StateTextAsk): Promise<StateText>
  fullAt(room: number, point: StatePoint): Promise<StateEntry[]>
  difference(room: number, from: StatePoint, to: StatePoint): Promise<StateDifference[]>
}
