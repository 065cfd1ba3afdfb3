/** Delayed events (MSC4140): events that are sent later, unless their sender prevents it. */

export interface DelayedRow {
  /** Names it; whoever knows it may act on it. */
  readonly delayId: string
  readonly user: string
  /** Empty for senders without a device. */
  readonly device: string
  /** Row id of the room. */
  readonly room: number
  readonly roomId: string
  readonly type: string
  /** Null for message events. */
  readonly stateKey: string | null
  /** JSON. */
  readonly content: string
  /** Milliseconds from `sinceTs` to the sending. */
  readonly delayMs: number
  readonly sinceTs: number
}

export type DelayedOp =
  | {
      /**
       * Guards: the transaction is new (conflict `txn` with the id that it gave), and the user holds fewer than
       * `max` (conflict `taken` with the time in ms at which the first of them is sent).
       */
      readonly op: 'delayed.put'
      readonly delayId: string
      readonly user: string
      readonly device: string
      /** Endpoint and transaction id. */
      readonly txn: string
      readonly room: number
      readonly type: string
      readonly stateKey: string | null
      readonly content: string
      readonly delayMs: number
      readonly sinceTs: number
      readonly max: number
    }
  /** Guard: it is there (conflict `gone`); begins its time anew. */
  | { readonly op: 'delayed.restart'; readonly delayId: string; readonly sinceTs: number }
  | {
      /**
       * Guard: it is there, and with `sinceTs` was not begun anew since (conflict `gone`); takes it away, because it
       * is sent in this plan or not at all.
       */
      readonly op: 'delayed.take'
      readonly delayId: string
      readonly sinceTs?: number
    }
  /** Takes away what others than `sender` meant to put in a state key that `sender` sets now. */
  | {
      readonly op: 'delayed.supersede'
      readonly room: number
      readonly type: string
      readonly stateKey: string
      readonly sender: string
    }
  /** Takes away all of a user. */
  | { readonly op: 'delayed.clear'; readonly user: string }

export interface DelayedReader {
  byId(delayId: string): Promise<DelayedRow | undefined>
  /** The next to be sent first. */
  ofUser(user: string): Promise<DelayedRow[]>
}
