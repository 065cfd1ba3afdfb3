/** Events as the store keeps them. See docs/decisions/0003-rows.md. */

export interface EventRow {
  /** Row id, and for live events the position in the events stream. */
  readonly nid: number
  /** Row id of the room. */
  readonly room: number
  readonly eventId: string
  readonly type: string
  readonly stateKey: string | null
  readonly sender: string
  /** `origin_server_ts`, in milliseconds. */
  readonly ts: number
  readonly depth: number
  /** Order of arrival in the room: positive for live events, negative for history fetched later, null outside the timeline. */
  readonly arrival: number | null
  /** Bits of EVENT_FLAGS (protocol/event/flags.ts). */
  readonly flags: number
  readonly rejectedRule: string | null
  /** Row id of the redaction that applies. */
  readonly redactedBy: number | null
  /** The event in its federation format, canonical JSON; after a redaction the redacted form. */
  readonly json: string
}

/** Names an event inside a plan: a row id, or the slot of an event that the same plan inserts. */
export type EventRef = { readonly nid: number } | { readonly slot: number }

export type EventOp =
  | {
      readonly op: 'event.insert'
      /** Names the event for later operations of the plan. */
      readonly slot: number
      readonly room: RoomRef
      readonly eventId: string
      readonly type: string
      readonly stateKey: string | null
      readonly sender: string
      readonly ts: number
      readonly depth: number
      readonly json: string
      readonly flags: number
      readonly rejectedRule: string | null
      /** Ids of the auth events, in order. */
      readonly authEvents: readonly string[]
      /** Whether the event joins the room's timeline as its newest. */
      readonly live: boolean
      /** Nobody is told of it, because nobody sees the room yet. */
      readonly quiet?: true
    }
  | {
      /** Puts the redacted form in place; the original is kept apart until `keepUntil` (ms). */
      readonly op: 'event.redact'
      readonly target: string
      readonly by: EventRef
      readonly json: string
      readonly keepUntil: number
    }
  | {
      /** Guard: the transaction id was not used before in this scope; else conflict `txn` with the event id. */
      readonly op: 'event.txn'
      readonly event: EventRef
      readonly user: string
      readonly device: string
      /** Method and path without the transaction id, since ids are scoped by endpoint. */
      readonly scope: string
      readonly txnId: string
      readonly ts: number
    }

/** Names a room inside a plan: its row id, or the room that the same plan creates. */
export type RoomRef = number | 'new'

/** A place in a room's timeline. */
export interface TimelinePage {
  readonly room: number
  /** Exclusive lower end in arrival order. */
  readonly after: number
  /** Inclusive upper end in arrival order. */
  readonly upto: number
  readonly limit: number
  readonly dir: 'f' | 'b'
}

export interface TopologicalPage {
  readonly room: number
  /** The gap just before this place is the start; absent means the end of the room given by `dir`. */
  readonly from?: { readonly depth: number; readonly arrival: number }
  /** The gap just before this place is the stop. */
  readonly to?: { readonly depth: number; readonly arrival: number }
  readonly dir: 'f' | 'b'
  readonly limit: number
}

/** Events of a room by `origin_server_ts`, then by arrival. */
export interface TimePage {
  readonly room: number
  /** Events at this time (ms) belong to the page; with `arrival` only those behind that event. */
  readonly from: { readonly ts: number; readonly arrival: number | undefined }
  /** f: later ones, earliest first; b: earlier ones, latest first. */
  readonly dir: 'f' | 'b'
  readonly limit: number
}

export interface TxnRow {
  readonly event: number
  readonly txnId: string
}

export interface EventReader {
  byId(eventId: string): Promise<EventRow | undefined>
  /** At most READ_ROWS_SMALL ids; unknown ones are left out. */
  byIds(eventIds: readonly string[]): Promise<EventRow[]>
  byNids(nids: readonly number[]): Promise<EventRow[]>
  /** Accepted events of a room in arrival order (`dir` f: oldest first). */
  timeline(page: TimelinePage): Promise<EventRow[]>
  /** Accepted events of a room in topological order. */
  topological(page: TopologicalPage): Promise<EventRow[]>
  /** Accepted events of a room by their own time. */
  byTime(page: TimePage): Promise<EventRow[]>
  /** Live events after a position over all rooms, oldest first. */
  stream(after: number, upto: number, limit: number): Promise<EventRow[]>
  /** Rooms with live events in (after, upto]. */
  roomsWithNews(after: number, upto: number): Promise<number[]>
  /** Transaction ids that a device gave to its own events. */
  txnsOf(user: string, device: string, nids: readonly number[]): Promise<TxnRow[]>
  /** The event that a transaction id gave, if it was used. */
  byTxn(user: string, device: string, scope: string, txnId: string): Promise<string | undefined>
  /** Row ids of the auth chain (without the events themselves), walked to at most `limit` events. */
  authChain(eventIds: readonly string[], limit: number): Promise<number[]>
}
