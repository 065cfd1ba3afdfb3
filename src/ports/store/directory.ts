/** Aliases of this server, and the rooms that it publishes. See docs/decisions/0010-directory.md. */
import type { RoomRef } from './events.ts'

export interface AliasRow {
  readonly alias: string
  readonly room: number
  readonly roomId: string
  /** Who made it. */
  readonly creator: string
}

export type DirectoryOp =
  | {
      /** Guard: nobody has the alias; else conflict `taken` with it. */
      readonly op: 'alias.put'
      readonly alias: string
      readonly room: RoomRef
      readonly creator: string
      /** Milliseconds. */
      readonly ts: number
    }
  /** Guard: the alias still names this room; else conflict `gone`. */
  | { readonly op: 'alias.delete'; readonly alias: string; readonly room: number }
  /** All aliases of a room name another from now on, which is also published if the first was, in its place. */
  | { readonly op: 'directory.move'; readonly from: number; readonly to: RoomRef }
  /** Puts a room into the published list or takes it out; either way twice is as once. */
  | { readonly op: 'directory.publish'; readonly room: RoomRef; readonly published: boolean }

/** A place in the list of published rooms, which is ordered by members and then by row id, both falling. */
export interface PublishedPlace {
  readonly joined: number
  readonly room: number
}

export interface PublishedPage {
  readonly limit: number
  /** Exclusive; absent for the end of the list where the direction begins. */
  readonly from?: PublishedPlace | undefined
  /** `f` towards smaller rooms. The rows are always in falling order. */
  readonly dir: 'f' | 'b'
  /** A part of name, topic or canonical alias, as `foldSearch` gives it. */
  readonly search?: string | undefined
  /** Types of rooms, null for those without; absent for all. */
  readonly types?: readonly (string | null)[] | undefined
}

export interface PublishedRow extends PublishedPlace {
  readonly roomId: string
}

export interface DirectoryReader {
  alias(alias: string): Promise<AliasRow | undefined>
  /** Those of some aliases that exist; at most READ_ROWS_SMALL may be asked for. */
  aliases(aliases: readonly string[]): Promise<AliasRow[]>
  /** Aliases of a room, in order, at most `limit`. */
  aliasesOf(room: number, limit: number): Promise<string[]>
  isPublished(room: number): Promise<boolean>
  /** Published rooms that strangers may see and somebody is in. */
  published(page: PublishedPage): Promise<PublishedRow[]>
  /** How many `published` would give without search, types and limit. */
  publishedCount(): Promise<number>
}
