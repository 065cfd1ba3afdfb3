/**
 * What a sync of whole rooms asks of each, asked of many at once: answers come in the order of the questions. None of
 * them waits on the thread that serves requests.
 */
import type { EventRow, TxnRow } from './events.ts'
import type { ReceiptRow } from './receipts.ts'
import type { RelationTarget } from './relations.ts'
import type { MembershipRow, RoomHead, RoomRow } from './rooms.ts'
import type { Replaced, StatePoint } from './state.ts'

/** A stretch of a stream, its newest rows first. */
export interface NewestOf {
  /** Exclusive. */
  readonly after: number
  /** Inclusive. */
  readonly upto: number
  readonly limit: number
}

export interface StateAsk {
  readonly room: number
  readonly point: StatePoint
  readonly keys: readonly (readonly [string, string])[]
}

export interface TurnsAsk {
  readonly room: number
  /** Positions on the main line. */
  readonly from: number
  readonly to: number
  readonly keys: readonly (readonly [string, string])[]
}

/** Who held one key, from a position on; nobody, where it was taken away. */
export interface StateTurn {
  readonly type: string
  readonly stateKey: string
  readonly pos: number
  readonly event: EventRow | undefined
}

export interface StateTextAsk {
  readonly room: number
  readonly point: StatePoint
  readonly exceptType: string | undefined
}

/** A state as clients get it: JSON texts of events with commas between, and the events that need a closer look. */
export interface StateText {
  readonly text: string
  readonly others: readonly EventRow[]
}

export interface TargetsAsk {
  readonly room: number
  readonly eventIds: readonly string[]
}

export interface ManyReader {
  rooms(nids: readonly number[]): Promise<(RoomRow | undefined)[]>
  heads(rooms: readonly number[]): Promise<(RoomHead | undefined)[]>
  memberships(user: string, rooms: readonly number[]): Promise<(MembershipRow | undefined)[]>
  /** Accepted events of rooms in arrival order, newest first. */
  timelines(rooms: readonly number[], stretch: NewestOf): Promise<EventRow[][]>
  /** As ReceiptReader.since. */
  receipts(rooms: readonly number[], reader: string, stretch: NewestOf): Promise<ReceiptRow[][]>
  /** As StateReader.lastChange. */
  lastChanges(rooms: readonly number[]): Promise<number[]>
  /** As StateReader.at. */
  stateAt(asks: readonly StateAsk[]): Promise<EventRow[][]>
  /**
   * Who held keys at the beginning of a stretch and in it, for each key the oldest first. Undefined where that is too
   * long a story.
   */
  turns(asks: readonly TurnsAsk[]): Promise<(StateTurn[] | undefined)[]>
  /** As StateReader.someMembers. */
  members(rooms: readonly number[], limit: number, after: number): Promise<EventRow[][]>
  /** As RelationReader.targets. */
  targets(asks: readonly TargetsAsk[]): Promise<RelationTarget[][]>
  /** As EventReader.txnsOf. */
  txns(user: string, device: string, nids: readonly number[]): Promise<TxnRow[]>
  /** As StateReader.replaced. */
  replaced(eventNids: readonly number[]): Promise<Replaced[]>
  /** As StateReader.pointsBefore. */
  pointsBefore(eventNids: readonly number[]): Promise<StatePoint[]>
  /** States as texts; of the questions only the first, where all together are too much. At least one is answered. */
  texts(asks: readonly StateTextAsk[]): Promise<StateText[]>
}
