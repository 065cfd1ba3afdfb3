/** What a list of rooms asks of each room without reading its state: recency, and what lists are filtered by. */
import type { RoomRef } from './events.ts'

export interface RoomFactsRow {
  /** Row id of the room. */
  readonly room: number
  /** Position of the room's newest event; 0 where nothing of the room is shown. */
  readonly latest: number
  /** Position of the newest event that is activity of its own; 0 where there is none. */
  readonly bump: number
  /** `type` of the create event's content. */
  readonly roomType: string | null
  /** The room's name, cut to 255 characters. */
  readonly name: string | null
  readonly encrypted: boolean
}

/** What an event changes of the facts of its room; what is absent stays. */
export interface RoomFactsChange {
  /** The plan's newest event is activity of its own. */
  readonly bump?: true
  readonly roomType?: string | null
  readonly name?: string | null
  readonly encrypted?: boolean
}

export type RoomFactsOp = { readonly op: 'room.facts'; readonly room: RoomRef } & RoomFactsChange

export interface RoomFactsReader {
  /** The facts of rooms; unknown ones are left out. */
  of(rooms: readonly number[]): Promise<RoomFactsRow[]>
}
