/** Which threads a user follows. MSC4306 and MSC4308. */

export interface ThreadSubscriptionRow {
  readonly room: number
  readonly roomId: string
  /** Event id of the thread's root. */
  readonly root: string
  /** False where the user has unsubscribed. */
  readonly subscribed: boolean
  /** Whether a client subscribed by itself; false where the user asked for it. */
  readonly automatic: boolean
  /** Stream position of the change. */
  readonly position: number
}

export type ThreadSubscriptionOp =
  | {
      /**
       * Subscribes. An automatic subscription changes no present one; conflict `unsubscribed` when the user has
       * unsubscribed after the event that is its cause.
       */
      readonly op: 'thread.subscribe'
      readonly user: string
      readonly room: number
      readonly root: string
      /** For an automatic one the place in the timeline of the event that is its cause. */
      readonly automatic: number | null
    }
  /** Unsubscribes; changes nothing for somebody who is not subscribed. */
  | {
      readonly op: 'thread.unsubscribe'
      readonly user: string
      readonly room: number
      readonly root: string
    }

export interface ThreadSubscriptionReader {
  get(user: string, room: number, root: string): Promise<ThreadSubscriptionRow | undefined>
  /** Changes in (after, upto], newest first. */
  since(user: string, after: number, upto: number, limit: number): Promise<ThreadSubscriptionRow[]>
}
