/** Rooms, their heads, and who of this server's users is in them. */
import type { EventRef, RoomRef } from './events.ts'

export interface RoomRow {
  readonly nid: number
  readonly roomId: string
  /** Read once from the create event, kept apart from it because a redaction may strip it. */
  readonly version: string
  /** Whether this server still takes part; a stale room's state is not ours to show. */
  readonly stale: boolean
  /** Position at which a room that was made out of sight came into it; 0 for all others. Nobody knew it before. */
  readonly opened: number
}

/** The room's forward edge. `seq` counts its moves and is the guard of every write to the room. */
export interface RoomHead {
  readonly seq: number
  /** Event ids of the forward extremities. */
  readonly extremities: readonly string[]
  /** Greatest depth among them. */
  readonly depth: number
  readonly joined: number
  readonly invited: number
}

export type Membership = 'join' | 'invite' | 'leave' | 'ban' | 'knock'

export interface MembershipRow {
  readonly room: number
  readonly roomId: string
  readonly user: string
  readonly membership: Membership
  /** Row id of the member event; 0 while only stripped state is known. */
  readonly event: number
  /** Stream position of the change. */
  readonly position: number
  /** Who caused it. */
  readonly sender: string
  readonly forgotten: boolean
  /** JSON list of stripped state, for invites and knocks. */
  readonly stripped: string | null
}

/** A local user of a room that comes into sight. */
export interface OpenedMember {
  readonly user: string
  readonly membership: Membership
  readonly sender: string
  /** Row id of the member event. */
  readonly event: number
}

export type RoomOp =
  | {
      /** A new room with sequence 0 and no head; conflict `taken` when the id exists. */
      readonly op: 'room.create'
      readonly roomId: string
      readonly version: string
      /** Nobody finds the room until `room.open`; until then it may be cleared like one that was hidden. */
      readonly hidden?: true
    }
  | {
      /**
       * Guard: the room was made hidden and is whole (conflict `gone`), its id is free (conflict `taken`). Shows it.
       * The position at which that happens is the result and the position of the joined ones' membership.
       */
      readonly op: 'room.open'
      readonly room: RoomRef
      readonly roomId: string
      /** Local users with a membership from before. */
      readonly members: readonly OpenedMember[]
    }
  | {
      /** Guard and move of the head: `expect` is the sequence read, the new one is `expect + 1`. */
      readonly op: 'room.head'
      readonly room: RoomRef
      readonly expect: number
      readonly extremities: readonly string[]
      readonly depth: number
      readonly joinedDelta: number
      readonly invitedDelta: number
    }
  | {
      /** Membership of a user of this server. */
      readonly op: 'room.membership'
      readonly room: RoomRef
      readonly user: string
      readonly membership: Membership
      readonly event: EventRef
      readonly sender: string
      readonly stripped: string | null
    }
  | { readonly op: 'room.forget'; readonly room: number; readonly user: string }
  | {
      /**
       * Deletes messages sent before a time (ms), looking at no more than `limit` events; with `keepServer` those of
       * that server stay. State, the room's head and redactions in force stay. The result is
       * `{gone, next}`: how many went, and where to go on (null when done).
       */
      readonly op: 'room.purge'
      readonly room: number
      readonly before: number
      readonly after?: { readonly ts: number; readonly arrival: number }
      readonly keepServer?: string
      readonly limit: number
    }
  /** Guard: the room is there (conflict `gone`); nobody finds it any more. */
  | { readonly op: 'room.hide'; readonly room: number }
  /** Guard: the room is hidden (conflict `gone`); deletes some of its rows, the result is how many, 0 at the end. */
  | { readonly op: 'room.clear'; readonly room: number; readonly limit: number }
  /** Removes every row of the room. */
  | { readonly op: 'room.delete'; readonly room: number }

/** Position of the newest event of a room. */
export interface RoomNews {
  readonly room: number
  readonly latest: number
}

export interface RoomReader {
  byId(roomId: string): Promise<RoomRow | undefined>
  byNid(nid: number): Promise<RoomRow | undefined>
  /** Rooms by row id, those behind `after`. */
  page(after: number, limit: number): Promise<RoomRow[]>
  head(room: number): Promise<RoomHead | undefined>
  /** All memberships of a local user; those of forgotten rooms only when asked for. */
  membershipsOf(user: string, forgottenToo?: boolean): Promise<MembershipRow[]>
  membership(room: number, user: string): Promise<MembershipRow | undefined>
  /** Local users joined to a room. */
  localJoined(room: number): Promise<string[]>
  /** Guests of this server joined to a room, by user id, those behind `after`. */
  guestsJoined(room: number, after: string, limit: number): Promise<string[]>
  /** The newest event's position of every room that a user is joined to. */
  lastArrivals(user: string): Promise<RoomNews[]>
  /** Memberships of a user that changed after a position. */
  membershipsSince(user: string, after: number): Promise<MembershipRow[]>
}
