/** Finding people: the user directory and shared rooms; and OpenID tokens. See docs/decisions/0012-people.md. */
import type { RoomRef } from './events.ts'

export type PeopleOp =
  | {
      /** Puts somebody of another server into the directory. Users of this server get there by `profile.put`. */
      readonly op: 'directory.remote'
      readonly user: string
      readonly displayName: string | null
      readonly avatarUrl: string | null
    }
  | {
      /** Says whether one of the two rules that make a room public does so. */
      readonly op: 'directory.room'
      readonly room: RoomRef
      readonly rule: 'join_rules' | 'history_visibility'
      readonly open: boolean
    }
  /** Indexes anew some accounts after a user id; the result is the last of them, or null when there are no more. */
  | { readonly op: 'directory.reindex'; readonly after: string; readonly limit: number }
  /** Looks anew at the rules of some rooms after a row id; the result is the last of them, or null. */
  | { readonly op: 'directory.reindex_rooms'; readonly after: number; readonly limit: number }
  | {
      /**
       * Compares a page of the user directory or of the room directory with what it is made from, and with `repair`
       * puts it right. The result is a DirectoryCheck.
       */
      readonly op: 'directory.check'
      readonly part: 'users' | 'terms' | 'rooms'
      /** The page begins behind it; '' begins. */
      readonly after: string
      readonly limit: number
      readonly repair: boolean
    }
  /** Notes that the whole index is of this version. */
  | { readonly op: 'directory.built'; readonly version: number }
  | {
      readonly op: 'openid.put'
      /** SHA-256 of the token, hex. */
      readonly digest: string
      readonly user: string
      readonly expiresTs: number
      /** Tokens that the user may have; the oldest beyond it go. */
      readonly most: number
    }

/** What a look at a page of the directories has found. */
export interface DirectoryCheck {
  /** Rows that were looked at. */
  readonly rows: number
  /** What differs, a sentence each: the user or room, and what of it. */
  readonly wrong: readonly string[]
  /** Where the next page begins; null at the end. */
  readonly next: string | null
}

export interface DirectorySearch {
  /** As the searcher typed it. */
  readonly term: string
  readonly searcher: string
  readonly limit: number
  /** Finds everybody, also those whom the searcher could not meet. */
  readonly all: boolean
  readonly localOnly: boolean
  readonly localFirst: boolean
  readonly showLocked: boolean
}

export interface PersonRow {
  readonly userId: string
  readonly displayName: string | null
  readonly avatarUrl: string | null
}

export interface DirectoryPage {
  /** The best first, at most `limit`. */
  readonly people: readonly PersonRow[]
  /** Whether there are more. */
  readonly limited: boolean
}

export interface MutualRooms {
  /** Room ids in order, at most `limit`. */
  readonly rooms: readonly string[]
  readonly more: boolean
  readonly count: number
}

export interface PeopleReader {
  search(search: DirectorySearch): Promise<DirectoryPage>
  /** Whether a user may be shown another: both in one room, or the other in a public one. */
  visible(searcher: string, other: string): Promise<boolean>
  /** Whether both are joined to one room. `user` is of this server. */
  shareRoom(user: string, other: string): Promise<boolean>
  /** Rooms with ids after `after` to which both are joined. `user` is of this server. */
  mutualRooms(user: string, other: string, after: string, limit: number): Promise<MutualRooms>
  /** The version of the directory's index; undefined before it was built for the first time. */
  directoryVersion(): Promise<number | undefined>
  /** Whose OpenID token this is, unless it has expired at `now`. */
  openid(digest: string, now: number): Promise<string | undefined>
}
