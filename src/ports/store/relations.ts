/** Relations between events of a room, and what is summed up of them. See docs/decisions/0009-relations.md. */
import type { EventRef, EventRow, RoomRef } from './events.ts'

/** An event of a room's timeline that relates to another one of the same room. */
interface Relating {
  readonly event: EventRef
  readonly room: RoomRef
  /** Id of the event that is related to; it need not be stored. */
  readonly target: string
  readonly relType: string
  readonly key: string | null
  /** Whether it counts in the aggregation of its kind. */
  readonly aggregated: boolean
  readonly type: string
  readonly sender: string
  readonly ts: number
  readonly depth: number
}

export type RelationOp =
  /** Notes the relation of a live event that the same plan inserts. */
  | ({ readonly op: 'relation.put' } & Relating)
  /** Notes the relation of a stored event, unless it is noted already, redacted or not shown. */
  | ({ readonly op: 'relation.index' } & Relating)
  | {
      /** Guard: no other event of the sender annotates the target with this type and key; else conflict `duplicate`. */
      readonly op: 'relation.unique'
      readonly event: EventRef
      readonly room: number
      readonly target: string
      readonly type: string
      readonly sender: string
      readonly key: string
    }

/** An event that others relate to, with what is known of them without reading them. */
export interface RelationTarget {
  readonly nid: number
  readonly eventId: string
  /** Replacements that count, as far as they tell themselves: sender and type are not compared. */
  readonly edits: number
  readonly references: number
  readonly threadCount: number
  /** Row id of the topologically last event of the thread; null without a thread. */
  readonly threadLatest: number | null
}

/** A replacement with the target (its `nid`) that it is the newest valid one of. */
export interface EditRow {
  readonly target: number
  readonly event: EventRow
}

export interface ReferenceRow {
  readonly event: number
  readonly eventId: string
  readonly sender: string
}

/** How many events of a thread one sender has sent. */
export interface ThreadSender {
  readonly target: number
  readonly sender: string
  readonly count: number
}

/** A place between the events of a room; see TopologicalPage. */
export interface RelationPlace {
  readonly depth: number
  readonly arrival: number
}

export interface RelationPage {
  readonly room: number
  readonly target: string
  readonly relType?: string | undefined
  /** Type of the relating events. */
  readonly type?: string | undefined
  /** Leaves out replacements. */
  readonly withoutEdits?: boolean | undefined
  /** The gap just before this place is the start; absent means the end given by `dir`. */
  readonly from?: RelationPlace | undefined
  /** The gap just before this place is the stop. */
  readonly to?: RelationPlace | undefined
  readonly dir: 'f' | 'b'
  readonly limit: number
}

export interface RelationTree extends RelationPage {
  /** How far relations of relations are followed; 1 follows none. Every step must match `relType` and `type`. */
  readonly levels: number
}

/** A thread's root with the place of the thread's last event. */
export interface ThreadRow extends RelationPlace {
  readonly target: number
  readonly root: EventRow
}

/** Relations by which events are chosen: by any of the senders, with any of the kinds; absent lets all through. */
export interface RelatedBy {
  readonly senders?: readonly string[] | undefined
  readonly relTypes?: readonly string[] | undefined
}

export interface RelationReader {
  /** Those of some events of a room that others relate to. At most READ_ROWS_SMALL ids. */
  targets(room: number, eventIds: readonly string[]): Promise<RelationTarget[]>
  /** Ids of those of some events of a room that have such a relation. At most 128 senders and kinds. */
  relatedBy(room: number, eventIds: readonly string[], by: RelatedBy): Promise<string[]>
  /** The newest valid replacement of each target that has one and is not redacted. */
  edits(targets: readonly number[]): Promise<EditRow[]>
  /** Valid replacements of one target, newest first. */
  editsOf(target: number, limit: number): Promise<EventRow[]>
  /** Events that reference a target, oldest first. */
  references(target: number, limit: number): Promise<ReferenceRow[]>
  /** Those of some threads in which the user has sent. */
  threadsOf(user: string, targets: readonly number[]): Promise<number[]>
  /** What some senders have sent in some threads. */
  threadSenders(targets: readonly number[], senders: readonly string[]): Promise<ThreadSender[]>
  /** Number of a thread's events up to a place, the event there included, without those of some senders. */
  threadCountUpTo(target: number, place: RelationPlace): Promise<number>
  /** Threads of a room whose last event is before a place, the latest first. */
  threads(room: number, from: RelationPlace | undefined, limit: number): Promise<ThreadRow[]>
  /** Whether a user has annotated an event with this type and key. */
  annotated(room: number, target: string, by: { type: string; sender: string; key: string }): Promise<boolean>
  /** Events that relate to one, in topological order. */
  page(page: RelationPage): Promise<EventRow[]>
  /**
   * Row ids of events that relate to one directly or through others, in topological order. Rejects with a StoreError
   * `limit` when there are too many.
   */
  tree(tree: RelationTree): Promise<number[]>
}
