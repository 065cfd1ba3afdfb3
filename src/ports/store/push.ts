/** Push rules as they act on events, notifications, and pushers. See docs/decisions/0008-counts.md. */
import type { EventRef, RoomRef } from './events.ts'

/** Somebody for whom more is to be done with events than to count them. */
export interface PushUserRow {
  readonly user: string
  /** Rules of this user look at more than the kind of an event. */
  readonly custom: boolean
  /** How many pushers the user has. */
  readonly pushers: number
}

/** What became of one event for one user, where it is not what the user's profile makes of its kind. */
export interface PushAction {
  readonly user: string
  readonly notify: boolean
  readonly highlight: boolean
  /** JSON list of actions. */
  readonly actions: string
}

export interface PusherRow {
  readonly user: string
  readonly appId: string
  readonly pushkey: string
  readonly kind: string
  /** Id of the device that set it; it goes with that device. */
  readonly device: string
  /** JSON object of what else clients see: names, language, profile tag, data. */
  readonly data: string
  readonly ts: number
}

/** A notification that waits for a pusher. */
export interface QueuedPushRow {
  readonly user: string
  readonly appId: string
  readonly pushkey: string
  /** Number of the notification of this pusher, without gaps but for those that were pushed out. */
  readonly seq: number
  readonly event: number
  readonly actions: string
}

export interface NotificationRow {
  readonly event: number
  readonly room: number
  readonly roomId: string
  readonly thread: string
  readonly actions: string | null
  readonly kind: number
  readonly notify: boolean
  readonly highlight: boolean
  readonly read: boolean
}

export type PushOp =
  | {
      /** A user's rules changed: keeps them as account data, and what they make of events from here on. */
      readonly op: 'push.rules'
      readonly user: string
      /** Content of `m.push_rules`. */
      readonly content: string
      readonly custom: boolean
      /** The new profile for all rooms, where it changed. */
      readonly profile: string | undefined
      /** New profiles of rooms, where they changed, by room id. */
      readonly rooms: readonly (readonly [roomId: string, profile: string])[]
    }
  /** Whether a user's rules look at more than profiles tell. */
  | { readonly op: 'push.custom'; readonly user: string; readonly custom: boolean }
  | {
      /** Counts a live event of a room. */
      readonly op: 'push.event'
      readonly event: EventRef
      readonly room: RoomRef
      /** `main` or the id of the thread's root. */
      readonly thread: string
      readonly kind: number
      /** The default rules highlight it for everybody. */
      readonly loud: boolean
      /** The local user who has read their thread by sending this. */
      readonly readBy: string | undefined
      /** The local user who joined by it: nothing before counts for them. */
      readonly joined: string | undefined
      readonly actions: readonly PushAction[]
      /** Users with pushers who are notified, with their actions. */
      readonly queue: readonly { readonly user: string; readonly actions: string }[]
    }
  /** Counts a room's events again; the result is a RecountResult. With `repair` what differs is put right. */
  | { readonly op: 'push.recount'; readonly room: number; readonly repair: boolean }
  /** Takes away all that is kept for a user's notifications. */
  | { readonly op: 'push.clear'; readonly user: string }
  | {
      /** Sets a pusher; those of others with its app id and pushkey go unless `append`. */
      readonly op: 'pusher.put'
      readonly pusher: PusherRow
      readonly append: boolean
      /** Most pushers of a user; conflict `taken` when there would be more. */
      readonly max: number
    }
  | { readonly op: 'pusher.delete'; readonly user: string; readonly appId: string; readonly pushkey: string }

/** A difference between what is kept of an event's notification and what it should be. */
export interface RecountFinding {
  readonly what: 'kind' | 'totals' | 'thread' | 'stray'
  readonly event: number
}

export interface RecountResult {
  /** Events looked at. */
  readonly events: number
  /** Differences found. */
  readonly wrong: number
  /** The first of them. */
  readonly findings: readonly RecountFinding[]
}

export interface UnreadCount {
  readonly notifications: number
  readonly highlights: number
}

/** Counts of one room for one user. */
export interface RoomCounts {
  readonly room: number
  readonly main: UnreadCount
  /** Threads with unread notifications, by the id of their root. */
  readonly threads: readonly (UnreadCount & { readonly thread: string })[]
}

/** Counts with all that tells how the events of after them change them. */
export interface CountsToKeep {
  readonly counts: RoomCounts
  /** The user's profile for all rooms, and for this one, for events behind the position of the counts. */
  readonly profile: string
  readonly roomProfile: string
  /** Threads with events behind the unthreaded mark, as many as were looked at. */
  readonly threads: number
}

/** How a live event counts: part of its `push.event`. */
export type CountedEvent = Pick<
  Extract<PushOp, { op: 'push.event' }>,
  'thread' | 'kind' | 'readBy' | 'actions'
>

export interface PushReader {
  user(user: string): Promise<PushUserRow | undefined>
  /** Local members of a room whose rules are custom or who have pushers. */
  followers(room: number): Promise<PushUserRow[]>
  /** Rooms with counted events, by row id. */
  countedRooms(after: number, limit: number): Promise<number[]>
  /** Thread of a stored event, if it was counted. */
  threadOf(event: number): Promise<string | undefined>
  /** Counts of a user in a room up to a position; messages of before `overBefore` (ms) count as read. */
  counts(user: string, room: number, upto: number, overBefore?: number): Promise<RoomCounts>
  /** The same without `overBefore`, for whoever goes on counting from there. */
  countsToKeep(user: string, room: number, upto: number): Promise<CountsToKeep>
  /** Counts of many rooms. */
  countsOfRooms(user: string, rooms: readonly number[], upto: number): Promise<RoomCounts[]>
  /**
   * Notifications of a user before an event, newest first: looks at no more than `scan` events and gives where to go
   * on, or undefined at the end.
   */
  notifications(
    user: string,
    before: number,
    limit: number,
    scan: number,
    onlyHighlights: boolean,
  ): Promise<{ readonly rows: NotificationRow[]; readonly next: number | undefined }>
  pushers(user: string): Promise<PusherRow[]>
  /** What waits for a pusher after `seq`, oldest first. */
  queued(user: string, appId: string, pushkey: string, after: number, limit: number): Promise<QueuedPushRow[]>
}
